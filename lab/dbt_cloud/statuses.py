"""The statuses of a run and of its steps.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (Retrieve Run)
"""

QUEUED, STARTING, RUNNING, SUCCESS, ERROR, CANCELLED = 1, 2, 3, 10, 20, 30

FINISHED = (SUCCESS, ERROR, CANCELLED)

ON_THE_WAY = (QUEUED, STARTING, RUNNING)

IN_WORDS = {
    QUEUED: "Queued",
    STARTING: "Starting",
    RUNNING: "Running",
    SUCCESS: "Success",
    ERROR: "Error",
    CANCELLED: "Cancelled",
}

IN_WEBHOOKS = IN_WORDS | {ERROR: "Errored"}
"""The same, as webhooks say it."""
