output "address" {
  description = "The address for dbt Cloud's webhook."
  value       = local.receiver_url
}

output "environment" {
  description = "For `afterrun` in a shell."
  value = {
    GOOGLE_CLOUD_PROJECT = var.project
    LEDGER               = "firestore:${var.project}/afterrun"
  }
}

output "webhook" {
  description = "What is left to do once the secrets have values."
  value       = "afterrun webhooks create --url=${local.receiver_url} --secret=secret:dbt-cloud-webhook"
}
