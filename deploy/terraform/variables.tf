variable "project" {
  description = "The Google Cloud project. It holds one Afterrun."
  type        = string
}

variable "region" {
  description = "Where everything is. The ledger's database stays there for ever."
  type        = string
}

variable "image" {
  description = "The image of both services: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME:TAG."
  type        = string
}

variable "config_file" {
  description = "Path of the configuration, afterrun.yaml."
  type        = string
}

variable "secrets" {
  description = "Names of the secrets of this project that the configuration refers to. Their values are added by hand."
  type        = set(string)
}

variable "notify" {
  description = "Whom Google mails when something is wrong; nobody without one."
  type        = string
  default     = ""
}
