# Who is told when something is wrong. What is counted and what is a reason stands in ../watch.

locals {
  metrics  = { for name in fileset("${path.module}/../watch/metrics", "*.json") : name => jsondecode(file("${path.module}/../watch/metrics/${name}")) }
  policies = { for name in fileset("${path.module}/../watch/policies", "*.json") : name => jsondecode(file("${path.module}/../watch/policies/${name}")) }
}

resource "google_logging_metric" "metric" {
  for_each    = local.metrics
  name        = each.value.name
  description = each.value.description
  filter      = each.value.filter

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_notification_channel" "mail" {
  count        = var.notify == "" ? 0 : 1
  type         = "email"
  display_name = "Afterrun: ${var.notify}"
  labels       = { email_address = var.notify }
  user_labels  = { app = "afterrun" }
  depends_on   = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "policy" {
  for_each              = local.policies
  display_name          = each.value.displayName
  combiner              = each.value.combiner
  user_labels           = each.value.userLabels
  notification_channels = google_monitoring_notification_channel.mail[*].name

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.displayName

      dynamic "condition_threshold" {
        for_each = [for kind in ["conditionThreshold"] : conditions.value[kind] if contains(keys(conditions.value), kind)]
        content {
          filter          = condition_threshold.value.filter
          comparison      = condition_threshold.value.comparison
          threshold_value = condition_threshold.value.thresholdValue
          duration        = condition_threshold.value.duration

          dynamic "aggregations" {
            for_each = condition_threshold.value.aggregations
            content {
              alignment_period     = aggregations.value.alignmentPeriod
              per_series_aligner   = aggregations.value.perSeriesAligner
              cross_series_reducer = try(aggregations.value.crossSeriesReducer, null)
            }
          }

          trigger {
            count = condition_threshold.value.trigger.count
          }
        }
      }

      dynamic "condition_absent" {
        for_each = [for kind in ["conditionAbsent"] : conditions.value[kind] if contains(keys(conditions.value), kind)]
        content {
          filter   = condition_absent.value.filter
          duration = condition_absent.value.duration

          dynamic "aggregations" {
            for_each = condition_absent.value.aggregations
            content {
              alignment_period     = aggregations.value.alignmentPeriod
              per_series_aligner   = aggregations.value.perSeriesAligner
              cross_series_reducer = try(aggregations.value.crossSeriesReducer, null)
            }
          }

          trigger {
            count = condition_absent.value.trigger.count
          }
        }
      }
    }
  }

  documentation {
    mime_type = each.value.documentation.mimeType
    content   = each.value.documentation.content
  }

  # a policy on a metric is refused before the metric is there
  depends_on = [google_logging_metric.metric]
}
