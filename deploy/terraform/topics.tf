# Topics, the subscriptions to them, and the clock that ticks.

resource "google_pubsub_topic" "topic" {
  for_each = toset([
    "dbt-cloud-events",
    "dbt-cloud-ticks",
    "dbt-cloud-events-dead-letters",
  ])
  name       = each.key
  labels     = { app = "afterrun" }
  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic_iam_member" "receiver_publishes_events" {
  topic  = google_pubsub_topic.topic["dbt-cloud-events"].name
  role   = "roles/pubsub.publisher"
  member = local.accounts["afterrun-receiver"]
}

resource "google_pubsub_topic_iam_member" "subscriber_leaves_dead_letters" {
  topic  = google_pubsub_topic.topic["dbt-cloud-events-dead-letters"].name
  role   = "roles/pubsub.publisher"
  member = local.accounts["afterrun-subscriber"]
}

resource "google_pubsub_topic_iam_member" "pubsub_leaves_dead_letters" {
  topic  = google_pubsub_topic.topic["dbt-cloud-events-dead-letters"].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

# without it, the topic would drop what arrives
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "dbt-cloud-events-dead-letters"
  topic                      = google_pubsub_topic.topic["dbt-cloud-events-dead-letters"].id
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"
  labels                     = { app = "afterrun" }

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "events" {
  name                       = "dbt-cloud-events"
  topic                      = google_pubsub_topic.topic["dbt-cloud-events"].id
  ack_deadline_seconds       = 300
  message_retention_duration = "604800s"
  labels                     = { app = "afterrun" }

  push_config {
    push_endpoint = "${local.subscriber_url}/"

    oidc_token {
      service_account_email = google_service_account.account["afterrun-push"].email
      audience              = local.subscriber_url
    }
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.topic["dbt-cloud-events-dead-letters"].id
    max_delivery_attempts = 100
  }

  depends_on = [google_cloud_run_v2_service.subscriber]
}

# Pub/Sub takes from it what goes to the dead letters
resource "google_pubsub_subscription_iam_member" "pubsub_takes_dead_letters" {
  subscription = google_pubsub_subscription.events.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

resource "google_pubsub_subscription" "ticks" {
  name                       = "dbt-cloud-ticks"
  topic                      = google_pubsub_topic.topic["dbt-cloud-ticks"].id
  ack_deadline_seconds       = 300
  message_retention_duration = "600s"
  labels                     = { app = "afterrun" }

  push_config {
    push_endpoint = "${local.subscriber_url}/"

    oidc_token {
      service_account_email = google_service_account.account["afterrun-push"].email
      audience              = local.subscriber_url
    }
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service.subscriber]
}

resource "google_cloud_scheduler_job" "tick" {
  name      = "dbt-cloud-tick"
  region    = var.region
  schedule  = "* * * * *"
  time_zone = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.topic["dbt-cloud-ticks"].id
    data       = base64encode("tick")
    attributes = { content = "tick" }
  }

  depends_on = [google_project_service.api]
}
