# The ledger's database: what it must have, and who may use it.

locals {
  declared = jsondecode(file("${path.module}/../../subscriber/ledger/firestore.indexes.json"))
}

resource "google_firestore_database" "ledger" {
  name                    = "afterrun"
  location_id             = var.region
  type                    = "FIRESTORE_NATIVE"
  database_edition        = "STANDARD"
  delete_protection_state = "DELETE_PROTECTION_ENABLED"
  # `terraform destroy` leaves it: data is deleted by hand, or not at all
  deletion_policy = "ABANDON"
  depends_on      = [google_project_service.api]
}

resource "google_firestore_index" "index" {
  for_each    = { for index in local.declared.indexes : "${index.collectionGroup}/${join("/", index.fields[*].fieldPath)}" => index }
  database    = google_firestore_database.ledger.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.fieldPath
      order      = fields.value.order
    }
  }
}

resource "google_firestore_field" "field" {
  for_each   = { for field in local.declared.fieldOverrides : "${field.collectionGroup}/${field.fieldPath}" => field }
  database   = google_firestore_database.ledger.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  # with nothing in it, the field has no index
  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        order       = indexes.value.order
        query_scope = indexes.value.queryScope
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []
    content {}
  }
}

resource "google_project_iam_member" "subscriber_uses_the_ledger" {
  project = var.project
  role    = "roles/datastore.user"
  member  = local.accounts["afterrun-subscriber"]

  condition {
    title      = "the database afterrun"
    expression = "resource.name==\"projects/${var.project}/databases/afterrun\""
  }
}
