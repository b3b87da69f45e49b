"""A report and the runs of a dataset, as Mode tells of them to who only looks.

Source: https://mode.com/developer/api-reference/analytics/reports/
"""

from collections.abc import Sequence
from typing import Any

from lab.mode_run import Run

SINCE = "2024-02-01T08:00:00.000Z"


def told(workspace: str, report: str, last: Sequence[Run], *, archived: bool) -> dict[str, Any]:
    """`report`; `last` holds its last run, if it has one."""
    here = f"/api/{workspace}/reports/{report}"
    names = (
        *("self", "web", "account", "report_run", "queries", "report_runs", "report_pins"),
        *("report_schedules", "last_run", "last_successful_run"),
        *("perspective_email_subscription_memberships", "last_successful_github_sync"),
    )
    links = {name: {"href": f"{here}/{name}"} for name in names} | {"self": {"href": here}}
    ran_at = last[-1].updated_at.isoformat() if last else None
    return {
        "token": report,
        "id": 1,
        "name": "Revenue",
        "description": "",
        "type": "Report",
        "created_at": SINCE,
        "updated_at": SINCE,
        "published_at": SINCE,
        "edited_at": SINCE,
        "last_successful_sync_at": None,
        "last_saved_at": SINCE,
        "archived": archived,
        "account_id": 1,
        "account_username": workspace,
        "public": False,
        "manual_run_disabled": False,
        "drill_anywhere_enabled": False,
        "run_privately": True,
        "drilldowns_enabled": False,
        "expected_runtime": 1.5,
        "last_successfully_run_at": ran_at,
        "last_run_at": ran_at,
        "last_successful_run_token": last[-1].token if last else None,
        "query_count": "1",
        "max_query_count": "1",
        "runs_count": str(len(last)),
        "schedules_count": "0",
        "query_preview": "select 1",
        "view_count": "0",
        "thoughtspot_published_at": None,
        "_links": links,
    }


def listed(workspace: str, dataset: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All runs of `dataset`, each as it is told of alone, the newest first."""
    pages = {"first_page": "1", "last_page": "1", "total_pages": 1, "total_count": len(runs)}
    links = {"self": {"href": f"/api/{workspace}/datasets/{dataset}/runs"}}
    return {"pagination": pages, "_links": links, "_embedded": {"dataset_runs": list(runs)}}
