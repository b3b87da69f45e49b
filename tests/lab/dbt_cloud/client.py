"""Asks both APIs of the lab's dbt Cloud as their users do."""

from dataclasses import dataclass
from typing import Any

import requests

from lab.dbt_cloud.cloud import Served
from lab.dbt_cloud.state import Job, Run

Query = dict[str, str | int]

RUN_QUERY = """
query Run($jobId: BigInt!, $runId: BigInt) {
  job(id: $jobId, runId: $runId) {
    id runId
    models { uniqueId name status error skip executionTime runGeneratedAt tags meta dbtGroup }
    tests { uniqueId state status error fail warn skip dependsOn runGeneratedAt }
    seeds { uniqueId status error }
    snapshots { uniqueId status }
    sources { uniqueId state freshnessChecked maxLoadedAt maxLoadedAtTimeAgoInS
      criteria { warnAfter { count period } errorAfter { count period } } }
  }
}
"""


@dataclass(frozen=True)
class Client:
    served: Served
    account_id: int

    def get(
        self, path: str, query: Query | None = None, *, authorization: str | None = None
    ) -> requests.Response:
        """GET below /api/v2/accounts/; `authorization` is the full token's unless given."""
        return requests.get(
            f"{self.served.base_url}/api/v2/accounts/{path}",
            params=query,
            headers={"Authorization": authorization or f"Token {self.served.token}"},
            timeout=5,
        )

    def post(
        self, path: str, body: object = None, *, authorization: str | None = None
    ) -> requests.Response:
        """POST below the account; `authorization` is a runner's token unless given."""
        return requests.post(
            f"{self.served.base_url}/api/v2/accounts/{self.account_id}/{path}",
            json=body,
            headers={"Authorization": authorization or f"Token {self.served.runner_token}"},
            timeout=5,
        )

    def run_job(self, job: Job, cause: str = "a reason", **overrides: object) -> requests.Response:
        return self.post(f"jobs/{job.id}/run/", {"cause": cause, **overrides})

    def run(self, run: Run, path: str = "", **query: str | int) -> requests.Response:
        return self.get(f"{self.account_id}/runs/{run.id}/{path}", query)

    def runs(self, **query: str | int) -> requests.Response:
        return self.get(f"{self.account_id}/runs/", query)

    def discover(
        self, query: str, *, authorization: str | None = None, **variables: Any
    ) -> requests.Response:
        return requests.post(
            f"{self.served.metadata_url}/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": authorization or f"Bearer {self.served.token}"},
            timeout=5,
        )

    def job(self, run: Run) -> Any:
        """What the query for one run finds."""
        answer = self.discover(RUN_QUERY, jobId=str(run.job.id), runId=str(run.id)).json()
        assert "errors" not in answer
        return answer["data"]["job"]


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows by the last part of their unique id, a test's hash left out."""
    return {
        row["uniqueId"].split(".")[-1 - row["uniqueId"].startswith("test.")]: row for row in rows
    }
