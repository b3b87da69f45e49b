"""Discovery's lists, paged and not, against an endpoint that answers what a test says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lab.serve import serve
from shared.errors import TemporaryFailure
from subscriber.dbt_cloud.details import Details, Owner
from subscriber.dbt_cloud.discovery import NODES_A_QUERY, PAGE_ROWS, Discovery
from subscriber.dbt_cloud.graphql import QueryRefused
from subscriber.dbt_cloud.project import RESOURCES_A_QUERY, Project
from subscriber.outbound import Outbound
from subscriber.run import Status

Rows = dict[str, list[dict[str, Any]]]


@contextmanager
def discovery(answer: Callable[[dict[str, Any]], Any]) -> Iterator[Discovery]:
    """Discovery at an endpoint that gives `answer` of each query's JSON."""

    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(answer(json.loads(await request.body())))

    with serve(Starlette(routes=[Route("/graphql", endpoint, methods=["POST"])])) as url:
        yield Discovery(f"{url}/graphql", lambda: "token", Outbound())


def pages_of(rows: Rows) -> Callable[[dict[str, Any]], Any]:
    """A server that pages `rows` as the newer documentation says."""

    def answer(asked: dict[str, Any]) -> Any:
        job = {}
        for name, listed in rows.items():
            if f"{name}(first:" in asked["query"]:
                after = asked["variables"].get(f"after_{name}")
                first = 0 if after is None else int(after) + 1
                job[name] = [
                    row | {"paginationCursor": str(index)}
                    for index, row in enumerate(listed[first : first + PAGE_ROWS], first)
                ]
        return {"data": {"job": job}}

    return answer


def models(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"uniqueId": f"model.shop.m{n}", "status": "success"} | fields for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, 3 * PAGE_ROWS])
def test_lists_are_paged_to_the_end(count):
    with discovery(pages_of({"models": models(count), "tests": []})) as asked:
        listed = asked.listed("7", "100", go_on=lambda: True)

    assert listed is not None
    assert len({result.unique_id for result in listed.results}) == len(listed.results) == count
    assert listed.is_whole


def test_paging_stops_when_there_is_no_time_left_and_keeps_what_was_found():
    with discovery(pages_of({"models": models(500)})) as asked:
        listed = asked.listed("7", "100", go_on=lambda: False)

    assert listed is not None
    assert len(listed.results) == PAGE_ROWS
    assert not listed.is_whole


def test_lists_without_cursors_are_not_read_to_their_end():
    rows = {"models": models(PAGE_ROWS), "tests": []}
    with discovery(lambda _: {"data": {"job": rows}}) as asked:
        listed = asked.listed("7", "100", go_on=lambda: True)

    assert listed is not None
    assert not listed.is_whole


def test_nodes_that_were_not_executed_are_no_results():
    rows: list[dict[str, Any]] = [
        {"uniqueId": "model.shop.a", "status": None},
        {"uniqueId": "model.shop.b"},
    ]
    with discovery(pages_of({"models": rows})) as asked:
        listed = asked.listed("7", "100", go_on=lambda: True)

    assert listed is not None
    assert listed.results == ()
    assert set(listed.known) == {"model.shop.a", "model.shop.b"}


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"state": "PASS", "status": "12"}, Status.GOOD),
        ({"state": "fail", "status": "3"}, Status.FAILED),
        ({"state": "Error"}, Status.FAILED),
        ({"state": "warn"}, Status.WARNED),
        ({"fail": True, "status": "3"}, Status.FAILED),
        ({"warn": True}, Status.WARNED),
        ({"skip": True}, Status.SKIPPED),
        ({"error": "boom"}, Status.FAILED),
        ({"status": "pass"}, Status.GOOD),
        ({"state": "brand new"}, Status.UNKNOWN),
    ],
)
def test_a_test_is_judged_by_its_state_and_then_by_its_flags(row, status):
    rows = [{"uniqueId": "test.shop.unique_id.abc", **row}]
    with discovery(pages_of({"tests": rows})) as asked:
        listed = asked.listed("7", "100", go_on=lambda: True)

    assert listed is not None
    assert [result.status for result in listed.results] == [status]


@pytest.mark.parametrize("answer", [{"data": None}, {"data": {"job": None}}, {}])
def test_an_answer_without_a_job_is_no_metadata(answer):
    with discovery(lambda _: answer) as asked:
        assert asked.listed("7", "100", go_on=lambda: True) is None


def test_an_answer_with_nothing_but_errors_is_one():
    refusal = {"data": {"job": None}, "errors": [{"message": "no such job"}]}
    with discovery(lambda _: refusal) as asked, pytest.raises(QueryRefused):
        asked.listed("7", "100", go_on=lambda: True)


@pytest.mark.parametrize("answer", [[], "text", None])
def test_what_answers_something_else_is_not_discovery(answer):
    with discovery(lambda _: answer) as asked, pytest.raises(TemporaryFailure, match="not Disc"):
        asked.listed("7", "100", go_on=lambda: True)


@pytest.mark.parametrize(
    "row", [None, 3, {}, {"uniqueId": 3}, {"uniqueId": "model.a.b", "tags": 1}]
)
def test_rows_that_are_not_what_they_should_be_do_no_harm(row):
    with discovery(lambda _: {"data": {"job": {"models": [row], "tests": None}}}) as asked:
        listed = asked.listed("7", "100", go_on=lambda: True)

    assert listed is not None
    assert listed.results == ()


def test_at_most_fifty_nodes_are_asked_about_in_one_query():
    queries = []

    def answer(asked: dict[str, Any]) -> Any:
        queries.append(asked)
        return {"data": {"job": {}}}

    with discovery(answer) as asked:
        asked.nodes("7", "100", [f"model.shop.m{n}" for n in range(500)])

    (query,) = queries
    assert query["query"].count("uniqueId:") == NODES_A_QUERY


def test_ids_of_64_bits_are_sent_as_text():
    queries = []

    def answer(asked: dict[str, Any]) -> Any:
        queries.append(asked["variables"])
        return {"data": {"job": None}}

    with discovery(answer) as asked:
        asked.listed("9223372036854775807", "70437497968255", go_on=lambda: True)

    assert queries[0]["jobId"] == "9223372036854775807"
    assert queries[0]["runId"] == "70437497968255"


OLD, SEED = "model.shop.old", "seed.shop.old"


def test_a_node_that_is_null_where_others_are_is_gone():
    job = {"models": [{"uniqueId": "model.shop.m0"}], "n0": None, "n1": {"uniqueId": SEED}}
    with discovery(lambda _: {"data": {"job": job}}) as asked:
        assert asked.gone("7", "100", [OLD, SEED]) == {OLD}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"job": {"models": [{}], "n0": None}}, "errors": [{"message": "partly"}]},
        {"data": {"job": {"models": [], "n0": None}}},
        {"data": {"job": {"models": [{}]}}},
        {"data": {"job": {"n0": None}}},
        {"data": {"job": None}},
        {"data": None},
        {},
    ],
)
def test_nothing_is_gone_on_doubt(answer):
    with discovery(lambda _: answer) as asked:
        assert asked.gone("7", "100", [OLD]) == frozenset()


def test_a_project_is_read_with_its_nodes_and_groups():
    node = {"uniqueId": OLD, "group": "finance", "filePath": "models/old.sql", "tags": ["x"]}
    group = {"name": "finance", "ownerName": None, "ownerEmail": "finance@shop.example"}
    environment = {
        "applied": {"resources": {"edges": [{"node": node}, {"node": None}, None]}},
        "definition": {"groups": {"edges": [{"node": group}]}},
    }
    with discovery(lambda _: {"data": {"environment": environment}}) as asked:
        project = asked.project("55", [OLD])

    assert project.known == {OLD: Details(("x",), "finance", path="models/old.sql")}
    assert project.groups == {"finance": Owner("finance@shop.example", "finance@shop.example")}


@pytest.mark.parametrize(
    "environment", [None, {}, {"applied": None, "definition": None}, {"applied": {"resources": 1}}]
)
def test_a_project_without_state_is_empty(environment):
    with discovery(lambda _: {"data": {"environment": environment}}) as asked:
        assert asked.project("55", [OLD]) == Project({}, {})


def test_groups_are_read_where_the_nodes_could_not_be():
    groups = {"edges": [{"node": {"name": "finance", "ownerName": "Finance"}}]}
    environment = {"applied": None, "definition": {"groups": groups}}
    answer = {"data": {"environment": environment}, "errors": [{"message": "too costly"}]}
    with discovery(lambda _: answer) as asked:
        assert asked.project("55", [OLD]).groups == {"finance": Owner("Finance")}


def test_a_schema_without_projects_leaves_them_empty():
    with discovery(lambda _: {"errors": [{"message": "Cannot query field"}]}) as asked:
        assert asked.project("55", [OLD]) == Project({}, {})


def test_a_project_is_asked_about_five_hundred_nodes_at_the_most():
    queries = []

    def answer(asked: dict[str, Any]) -> Any:
        queries.append(asked["variables"])
        return {"data": {}}

    with discovery(answer) as asked:
        asked.project("55", [f"model.shop.m{n}" for n in range(600)])

    (variables,) = queries
    assert len(variables["filter"]["uniqueIds"]) == variables["first"] == RESOURCES_A_QUERY
