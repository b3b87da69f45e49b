# Secrets: each exists and is read by whom it concerns; values are added by hand, so that no state
# of Terraform holds one. The configuration holds references only.

resource "google_secret_manager_secret" "secret" {
  for_each  = setunion(["dbt-cloud-webhook", "afterrun-config"], var.secrets)
  secret_id = each.key
  labels    = { app = "afterrun" }

  replication {
    auto {}
  }

  depends_on = [google_project_service.api]
}

resource "google_secret_manager_secret_iam_member" "receiver_reads" {
  secret_id = google_secret_manager_secret.secret["dbt-cloud-webhook"].id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.accounts["afterrun-receiver"]
}

resource "google_secret_manager_secret_iam_member" "subscriber_reads" {
  for_each  = setunion(["afterrun-config"], var.secrets)
  secret_id = google_secret_manager_secret.secret[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.accounts["afterrun-subscriber"]
}

resource "google_secret_manager_secret_version" "config" {
  secret      = google_secret_manager_secret.secret["afterrun-config"].id
  secret_data = file(var.config_file)
  # an earlier revision of the subscriber reads an earlier version
  deletion_policy = "ABANDON"
}
