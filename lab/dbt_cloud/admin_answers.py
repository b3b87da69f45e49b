"""What the Admin API says of an account, what it holds, a run and its steps, and how it refuses.

Source: https://docs.getdbt.com/dbt-cloud/api-v2
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from lab.dbt_cloud import statuses, times
from lab.dbt_cloud.state import Environment, Job, Project, Run, Step, Trigger

INVALID_TOKEN = "Invalid token."
_MADE = {
    "created_at": "2024-02-01 08:00:00.000000+00:00",
    "updated_at": "2024-02-01 08:00:00.000000+00:00",
}
NOT_FOUND = (
    "The requested resource was not found. Please check that you have the proper permissions."
)

_MESSAGES = {
    400: "The request could not be understood.",
    401: INVALID_TOKEN,
    403: "You do not have permission to perform this action.",
    405: "Method not allowed.",
}


def envelope(data: Any, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    said = {"code": 200, "is_success": True, "user_message": "Success!", "developer_message": ""}
    return {"status": said, "data": data} | ({} if extra is None else {"extra": extra})


def refusal(code: int, user_message: str) -> dict[str, Any]:
    said = {"is_success": False, "user_message": user_message, "developer_message": None}
    return {"status": {"code": code} | said, "data": None}


def refused(code: int, said: str) -> dict[str, Any]:
    """A refusal, with the usual words where nothing is `said`."""
    return refusal(code, said or _MESSAGES.get(code, NOT_FOUND))


def listing(order_by: str, filters: dict[str, Any], count: int, total: int) -> dict[str, Any]:
    """The `extra` of a list."""
    pagination = {"count": count, "total_count": total}
    return {"filters": filters, "order_by": order_by, "pagination": pagination}


def account(account_id: int, name: str) -> dict[str, Any]:
    return {
        "id": account_id,
        "name": name,
        "plan": "enterprise_2025",
        "state": 1,
        "locked": False,
        "run_slots": 15,
        "identifier": f"act_{account_id:x}",
        **_MADE,
    }


def project(project: Project, account_id: int) -> dict[str, Any]:
    """A project as it is listed; nothing that is related to it."""
    return {
        "id": project.id,
        "account_id": account_id,
        "name": project.name,
        "description": "",
        "connection_id": None,
        "repository_id": None,
        "semantic_layer_config_id": None,
        "state": project.state,
        "dbt_project_subdirectory": None,
        "docs_job_id": None,
        "freshness_job_id": None,
        "type": 0,
        "connection": None,
        "environments": None,
        "repository": None,
        "group_permissions": None,
        "docs_job": None,
        "freshness_job": None,
        "fusion_readiness": None,
        "default_version": None,
        **_MADE,
    }


def environment(environment: Environment, account_id: int) -> dict[str, Any]:
    """An environment as it is listed; nothing that is related to it."""
    return {
        **_environment(environment, account_id),
        "dbt_version": environment.dbt_version,
        "raw_dbt_version": environment.dbt_version,
        "connection_id": None,
        "credentials_id": None,
        "repository_id": None,
        "extended_attributes_id": None,
        "custom_branch": None,
        "dbt_project_subdirectory": None,
        "created_by_id": None,
        "repository": None,
        "connection": None,
        "jobs": None,
        "custom_environment_variables": None,
        **_MADE,
    }


def listed_job(listed: Job, account_id: int) -> dict[str, Any]:
    """A job as it is listed; nothing that is related to it."""
    return {
        **job(listed, account_id),
        "dbt_version": None,
        "raw_dbt_version": listed.environment.dbt_version,
        "deferring_environment_id": None,
        "deferring_job_definition_id": None,
        "is_deferrable": False,
        "lifecycle_webhooks_url": None,
        "run_failure_count": 0,
        "job_completion_trigger_condition": None,
        "account": None,
        "project": None,
        "environment": None,
        "fusion_readiness": None,
        **_MADE,
    }


def run(run: Run, related: Collection[str], why_no_retry: str | None) -> dict[str, Any]:
    """The run; what is `related` to it is null unless asked for."""
    environment = run.job.environment
    length = None if run.finished_at is None else run.finished_at - run.started_at
    done = run.status in statuses.FINISHED
    begun = times.admin(run.started_at) if run.status >= statuses.RUNNING else None
    wrote = {path for step in run.steps for path in step.artifacts}
    return {
        "id": run.id,
        "account_id": run.account_id,
        "project_id": environment.project.id,
        "environment_id": environment.id,
        "job_definition_id": run.job.id,
        "job_id": run.job.id,
        "trigger_id": run.trigger.id,
        "deferring_run_id": None,
        "status": run.status,
        "status_humanized": run.status_in_words,
        "status_message": run.status_message,
        "in_progress": not done,
        "is_complete": done,
        "is_success": run.status == statuses.SUCCESS,
        "is_error": run.status == statuses.ERROR,
        "is_cancelled": run.status == statuses.CANCELLED,
        "is_running": run.status == statuses.RUNNING,
        "dbt_version": environment.dbt_version,
        "git_branch": run.trigger.git_branch,
        "git_sha": run.trigger.git_sha,
        "created_at": times.admin(run.started_at),
        "updated_at": times.admin(run.finished_at or run.started_at),
        "dequeued_at": begun,
        "started_at": begun,
        "finished_at": times.admin(run.finished_at),
        "should_start_at": times.admin(run.started_at),
        "last_checked_at": None,
        "last_heartbeat_at": None,
        "duration": times.duration(length),
        "queued_duration": times.duration(timedelta(0)),
        "run_duration": times.duration(length),
        "duration_humanized": times.duration_in_words(length),
        "queued_duration_humanized": times.duration_in_words(timedelta(0)),
        "run_duration_humanized": times.duration_in_words(length),
        "href": run.href,
        "artifacts_saved": bool(wrote),
        "artifact_s3_path": None,
        "has_docs_generated": any(step.command == "dbt docs generate" for step in run.steps),
        "has_sources_generated": "sources.json" in wrote,
        "notifications_sent": done,
        "blocked_by": [],
        "owner_thread_id": None,
        "can_retry": why_no_retry is None,
        "retrying_run_id": run.retrying_run_id,
        "retry_not_supported_reason": why_no_retry,
        "deprecation": None,
        "trigger": trigger(run.trigger, run.job) if "trigger" in related else None,
        "job": job(run.job, run.account_id) if "job" in related else None,
        "environment": (
            _environment(environment, run.account_id) if "environment" in related else None
        ),
        "run_steps": [_step(step, run) for step in run.steps] if "run_steps" in related else None,
    }


def trigger(trigger: Trigger, job: Job) -> dict[str, Any]:
    return {
        "id": trigger.id,
        "cause": trigger.cause,
        "cause_category": trigger.cause_category,
        "job_definition_id": job.id,
        "git_branch": trigger.git_branch,
        "git_sha": trigger.git_sha,
        "github_pull_request_id": trigger.pull_request_id,
        "gitlab_merge_request_id": None,
        "azure_pull_request_id": None,
        "non_native_pull_request_id": None,
        "schema_override": None,
        "dbt_version_override": None,
        "threads_override": None,
        "target_name_override": None,
        "generate_docs_override": None,
        "timeout_seconds_override": None,
        "steps_override": None,
        **trigger.overrides,
    }


def job(job: Job, account_id: int) -> dict[str, Any]:
    return {
        "id": job.id,
        "account_id": account_id,
        "project_id": job.environment.project.id,
        "environment_id": job.environment.id,
        "name": job.name,
        "description": "",
        "job_type": job.job_type,
        "execute_steps": list(job.execute_steps),
        "execution": {"timeout_seconds": 0},
        "generate_docs": job.generate_docs,
        "run_generate_sources": job.run_generate_sources,
        "run_lint": False,
        "errors_on_lint_failure": True,
        "run_compare_changes": False,
        "lifecycle_webhooks": False,
        "settings": {"threads": 4, "target_name": "prod"},
        "state": job.state,
        "triggers": {
            "github_webhook": job.job_type == "ci",
            "git_provider_webhook": False,
            "schedule": job.job_type == "scheduled",
            "on_merge": job.job_type == "merge",
        },
    }


def _environment(environment: Environment, account_id: int) -> dict[str, Any]:
    return {
        "id": environment.id,
        "account_id": account_id,
        "project_id": environment.project.id,
        "name": environment.name,
        "type": "deployment",
        "deployment_type": environment.deployment_type,
        "use_custom_branch": False,
        "supports_docs": True,
        "state": environment.state,
    }


def _step(step: Step, run: Run) -> dict[str, Any]:
    length = step.finished_at - step.started_at
    return {
        "id": step.id,
        "run_id": run.id,
        "account_id": run.account_id,
        "index": step.index,
        "name": step.name,
        "status": step.status,
        "status_humanized": statuses.IN_WORDS[step.status],
        "logs": step.logs,
        "debug_logs": None,
        "truncated_debug_logs": None,
        "log_path": None,
        "debug_log_path": None,
        "created_at": times.admin(step.started_at),
        "updated_at": times.admin(step.finished_at),
        "started_at": times.admin(step.started_at),
        "finished_at": times.admin(step.finished_at),
        "duration": times.duration(length),
        "duration_humanized": times.duration_in_words(length),
        "run_step_command": (
            {"run_step_id": step.id, "dbt_command": step.command} if step.command else None
        ),
    }
