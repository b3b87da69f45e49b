"""The Discovery API: GraphQL queries about the nodes of a run, or of an environment.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-querying
"""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from graphql import ExecutionResult, GraphQLError, execute_sync, parse, validate
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.dbt_cloud import access, environment_view, job_view, metadata
from lab.dbt_cloud.metadata import Metadata
from lab.dbt_cloud.schema import schema
from lab.dbt_cloud.state import Run

Json = dict[str, Any]


@dataclass
class Behaviour:
    """How servers differ, or will: whether lists of a job have pages, and how long they get.

    `rows_without_first`: how many rows come when `first` is left out (None: all; announced: 100).
    `invalid_status`: the status with which a query that is not valid is answered.
    """

    knows_first: bool = True
    rows_without_first: int | None = None
    invalid_status: int = 200


class Account(Protocol):
    @property
    def runs(self) -> dict[int, Run]: ...

    @property
    def environment_ids(self) -> set[int]: ...


@dataclass(frozen=True)
class Query:
    """A query that was looked at."""

    text: str
    variables: Json


class DiscoveryApi:
    """`app` is to be served; `queries` are those that came with a token that is known."""

    def __init__(self, account: Account) -> None:
        self.behaviour = Behaviour()
        self.queries: list[Query] = []
        self._account = account
        self._metadata: dict[int, Metadata | None] = {}
        self.app = Starlette(routes=[Route("/graphql", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        if access.token(request.headers) not in (access.TOKEN, access.METADATA_TOKEN):
            return JSONResponse({"errors": [{"message": "Invalid token"}]}, status_code=401)
        try:
            asked = json.loads(await request.body())
            query = Query(asked["query"], asked.get("variables") or {})
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"errors": [{"message": "no query"}]}, status_code=400)
        self.queries.append(query)
        return await run_in_threadpool(self._executed, query)

    def _executed(self, query: Query) -> Response:
        served = schema(knows_first=self.behaviour.knows_first)
        try:
            document = parse(query.text)
            errors = validate(served, document)
        except GraphQLError as error:
            errors = [error]
        if errors:
            code = {"extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}
            told = {"errors": [error.formatted | code for error in errors]}
            return JSONResponse(told, status_code=self.behaviour.invalid_status)
        root = {"job": self._job, "environment": self._environment}
        result = execute_sync(served, document, root_value=root, variable_values=query.variables)
        if not isinstance(result, ExecutionResult):
            raise TypeError("subscriptions are not served")
        return JSONResponse(result.formatted)

    def _job(self, _: Any, id: int, runId: int | None = None) -> Json | None:  # noqa: A002, N803
        runs = [run for run in list(self._account.runs.values()) if run.job.id == id]
        if runId is not None:
            runs = [run for run in runs if run.id == runId]
        if not runs:
            return None
        run = max(runs, key=lambda run: run.id)
        known = self._read(run)
        if known is None:
            return None
        if not run.metadata.ask():
            return None if run.empty_metadata == "null" else job_view.empty(run)
        return job_view.view(run, known, self.behaviour.rows_without_first)

    def _environment(self, _: Any, id: int) -> Json:  # noqa: A002
        if id not in self._account.environment_ids:
            raise GraphQLError("Environment not found")
        known = []
        for _run_id, run in sorted(self._account.runs.items()):
            if run.job.environment.id == id and run.metadata.is_ready:
                found = self._read(run)
                if found is not None:
                    known.append((run, found))
        return environment_view.view(known)

    def _read(self, run: Run) -> Metadata | None:
        if run.finished_at is None:
            return None
        if run.id not in self._metadata:
            self._metadata[run.id] = metadata.of(run)
        return self._metadata[run.id]
