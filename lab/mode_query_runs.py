"""The queries that a run of a Mode report or dataset makes: one, that ends as the run says.

Source: https://mode.com/developer/api-reference/analytics/query-runs/
"""

from typing import Any

from lab.mode_run import Run

ERROR = "Query ran longer than 10 minutes and was cancelled"


def told(run: Run) -> dict[str, Any]:
    """All of them, as Mode lists them."""
    links = {"self": {"href": f"{run.href}/query_runs"}}
    pages = {"first_page": "1", "last_page": "1", "total_pages": 1, "total_count": 1}
    return {"pagination": pages, "_links": links, "_embedded": {"query_runs": [_query_run(run)]}}


def _query_run(run: Run) -> dict[str, Any]:
    state = run.queries if run.is_over else "pending"
    token = f"q{run.token}"
    href = f"{run.href}/query_runs/{token}"
    page = f"https://app.mode.com/{run.workspace}/{run.kind}/{run.of}/runs/{run.token}"
    links = {
        "self": href,
        "query": f"/api/{run.workspace}/{run.kind}/{run.of}/queries/1a2b3c",
        "query_web": f"{page}/queries/1a2b3c",
        "result": f"{href}/results",
        "result_web": f"{page}/query_runs/{token}/results",
        "report_run": run.href,
        "report_run_web": page,
    }
    return {
        "id": "1",
        "token": token,
        "state": state,
        "query_name": "Revenue by day",
        "query_token": "1a2b3c",
        "query_created_at": run.created_at.isoformat(),
        "created_at": run.created_at.isoformat(),
        "completed_at": run.updated_at.isoformat() if run.is_over else None,
        "data_source_id": "7",
        "data_source_token": "3f0c",
        "dbt_metric_id": None,
        "limit": "false",
        "max_result_bytes": "10485760",
        "parameters": "{}",
        "error_message": ERROR if state == "failed" else None,
        "_links": {name: {"href": link} for name, link in links.items()},
    }
