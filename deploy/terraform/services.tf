# The two services on Cloud Run, and who may call them.

resource "google_cloud_run_v2_service" "receiver" {
  name                = "afterrun-receiver"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  labels              = { app = "afterrun" }
  deletion_protection = false

  template {
    service_account                  = google_service_account.account["afterrun-receiver"].email
    max_instance_request_concurrency = 80
    timeout                          = "15s"

    scaling {
      min_instance_count = 0
      max_instance_count = 4
    }

    containers {
      image = var.image

      ports {
        container_port = 8080
      }

      resources {
        cpu_idle          = true
        startup_cpu_boost = true
        limits = {
          cpu    = "1"
          memory = "512Mi"
        }
      }

      # not /health: the first deployment comes before dbt Cloud has shown the webhook's secret
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60

        tcp_socket {
          port = 8080
        }
      }

      dynamic "env" {
        for_each = {
          FUNCTION_SOURCE      = "function/main.py"
          FUNCTION_TARGET      = "receive_webhook"
          GOOGLE_CLOUD_PROJECT = var.project
          PUBSUB_TOPIC         = "dbt-cloud-events"
          WEBHOOK_SECRETS      = "secret:dbt-cloud-webhook"
        }
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.receiver_reads]
}

resource "google_cloud_run_v2_service" "subscriber" {
  name                = "afterrun-subscriber"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  labels              = { app = "afterrun" }
  deletion_protection = false

  template {
    service_account                  = google_service_account.account["afterrun-subscriber"].email
    max_instance_request_concurrency = 16
    timeout                          = "300s"

    scaling {
      min_instance_count = 0
      max_instance_count = 4
    }

    volumes {
      name = "config"

      secret {
        secret = google_secret_manager_secret.secret["afterrun-config"].secret_id

        items {
          path    = "afterrun.yaml"
          version = google_secret_manager_secret_version.config.version
        }
      }
    }

    containers {
      image = var.image

      ports {
        container_port = 8080
      }

      resources {
        cpu_idle          = true
        startup_cpu_boost = true
        limits = {
          cpu    = "1"
          memory = "512Mi"
        }
      }

      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60

        http_get {
          path = "/health"
          port = 8080
        }
      }

      volume_mounts {
        name       = "config"
        mount_path = "/etc/afterrun"
      }

      dynamic "env" {
        for_each = {
          FUNCTION_SOURCE      = "subscriber/main.py"
          FUNCTION_TARGET      = "handle_event"
          THREADS              = "16"
          GOOGLE_CLOUD_PROJECT = var.project
          PUBSUB_TOPIC         = "dbt-cloud-events"
          DEAD_LETTER_TOPIC    = "dbt-cloud-events-dead-letters"
          LEDGER               = "firestore:${var.project}/afterrun"
          PUSH_AUTH            = "platform"
          PUSH_SERVICE_ACCOUNT = google_service_account.account["afterrun-push"].email
          PUSH_AUDIENCE        = local.subscriber_url
          AFTERRUN_CONFIG      = "/etc/afterrun/afterrun.yaml"
        }
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  depends_on = [
    google_secret_manager_secret_iam_member.subscriber_reads,
    google_project_iam_member.subscriber_uses_the_ledger,
    google_firestore_index.index,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "everybody_calls_the_receiver" {
  name     = google_cloud_run_v2_service.receiver.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "push_calls_the_subscriber" {
  name     = google_cloud_run_v2_service.subscriber.name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.accounts["afterrun-push"]
}
