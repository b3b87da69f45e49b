"""What we ask dbt Cloud, against the published descriptions of its APIs."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from lab.dbt_cloud.cloud import DbtCloud as Cloud
from lab.dbt_cloud.readiness import Readiness
from shared.event import read
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.ask import DbtCloud
from subscriber.dbt_cloud.discovery import Discovery
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound
from subscriber.run import Question
from tests.builders import Clock
from tests.contract import published

NEWER = re.compile(r"Unknown argument '(first|after)' on field 'JobNode\.|field 'paginationCursor'")
"""The pages of a job's lists: the documentation has them, the SDL was published before."""

EVERYTHING = Question(
    "all", frozenset({"model.teahouse.old", "test.teahouse.old.1"}), newest_run=True
)


@pytest.fixture(scope="module")
def asked() -> Iterator[Cloud]:
    """A dbt Cloud that was asked all that we ever ask."""
    cloud = Cloud()
    runs = [
        cloud.run(sample="failing_test"),
        cloud.run(sample="tolerated_freshness"),
        cloud.run(sample="model_error", artifacts=Readiness(after_asks=None)),
    ]
    with cloud.running() as served:
        for knows_first in (True, False):
            cloud.discovery.behaviour.knows_first = knows_first
            for token in (served.token, served.metadata_only_token):
                outbound = Outbound()
                dbt_cloud = DbtCloud(
                    admin=Admin(served.base_url, lambda token=token: token, outbound),  # type: ignore[misc]
                    discovery=Discovery(
                        f"{served.metadata_url}/graphql",
                        lambda token=token: token,  # type: ignore[misc]
                        outbound,
                    ),
                    ledger=MemoryLedger(),
                    accounts=frozenset(),
                    clock=Clock(),
                )
                for run in runs:
                    event = read(cloud.webhooks.event(run, "job.run.completed").body)
                    dbt_cloud.about(event, EVERYTHING)
        yield cloud


def test_every_query_is_one_that_the_published_schema_takes(asked: Cloud) -> None:
    schema = published_schema()

    refused = {
        error.message
        for query in asked.discovery.queries
        for error in validate(schema, parse(query.text))
        if not NEWER.search(error.message)
    }

    assert refused == set()


def test_every_kind_of_query_was_asked(asked: Cloud) -> None:
    texts = " ".join(query.text for query in asked.discovery.queries)

    assert all(part in texts for part in ("resources(", "groups(", "models(first: 1)", "n0: test("))
    assert any("first:" not in query.text for query in asked.discovery.queries)


def test_every_call_has_a_published_path_and_published_parameters(asked: Cloud) -> None:
    paths = published.description("dbt-cloud/openapi-v2.yaml")["paths"]
    described = {
        re.compile(re.sub(r"{\w+}", "[^/]+", path)): {
            parameter["name"]
            for parameter in operations.get("get", {}).get("parameters", ())
            if parameter["in"] == "query"
        }
        for path, operations in paths.items()
    }

    for call in asked.admin_calls.all:
        known = [names for path, names in described.items() if path.fullmatch(call.path)]
        assert call.method == "GET"
        assert known, call.path
        assert set(parse_qs(call.query)) <= set.union(*known), call.path


def test_every_kind_of_call_was_made(asked: Cloud) -> None:
    made = " ".join(f"{call.path}?{call.query}" for call in asked.admin_calls.all)

    assert all(part in made for part in ("run_results.json", "sources.json", "order_by=-id"))


def published_schema() -> GraphQLSchema:
    # it deprecates fields that its interfaces do not
    return build_schema(published.text("dbt-discovery/schema.graphql"), assume_valid=True)
