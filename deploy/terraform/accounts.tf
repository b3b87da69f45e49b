# The APIs, and the accounts under which everything runs.

data "google_project" "this" {
  project_id = var.project
}

locals {
  # the address that Cloud Run gives the subscriber, known before it is there
  subscriber_url = "https://afterrun-subscriber-${data.google_project.this.number}.${var.region}.run.app"
  receiver_url   = "https://afterrun-receiver-${data.google_project.this.number}.${var.region}.run.app"
  accounts       = { for name, account in google_service_account.account : name => "serviceAccount:${account.email}" }
  # who forwards dead letters, on behalf of Pub/Sub
  pubsub_agent = "serviceAccount:${google_project_service_identity.pubsub.email}"
}

resource "google_project_service" "api" {
  for_each = toset([
    "run.googleapis.com",
    "pubsub.googleapis.com",
    "firestore.googleapis.com",
    "secretmanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "cloudbuild.googleapis.com",
    "artifactregistry.googleapis.com",
    "monitoring.googleapis.com",
    "logging.googleapis.com",
    "iam.googleapis.com",
    "storage.googleapis.com",
  ])
  service            = each.key
  disable_on_destroy = false
}

resource "google_project_service_identity" "pubsub" {
  provider   = google-beta
  service    = "pubsub.googleapis.com"
  depends_on = [google_project_service.api]
}

resource "google_service_account" "account" {
  for_each = {
    afterrun-receiver   = "runs the receiver"
    afterrun-subscriber = "runs the subscriber"
    afterrun-push       = "pushes of Pub/Sub"
  }
  account_id   = each.key
  display_name = "Afterrun: ${each.value}"
  depends_on   = [google_project_service.api]
}
