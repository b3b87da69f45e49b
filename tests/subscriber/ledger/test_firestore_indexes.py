"""firestore.indexes.json holds what our queries need of indexes, and nothing else.

Google refuses a query without its index, the emulator answers it. So the needs are derived here:
from the queries as values, and from the fields that the ledger writes.

Source: https://cloud.google.com/firestore/docs/query-data/index-overview
"""

import ast
import inspect
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.cloud.firestore_v1.types import RunQueryRequest, StructuredQuery

from subscriber.ledger import firestore_queries as queries
from subscriber.ledger.contract import Change, Kind, Ledger, Settlement
from subscriber.ledger.firestore import SUBJECTS, FirestoreLedger
from subscriber.ledger.firestore_database import Database
from subscriber.ledger.firestore_queries import WORK, Filter, Order, Query
from tests.emulators import ON_FIRESTORE
from tests.subscriber.ledger.builders import LEASE, NOW, seen, some_work
from tests.subscriber.ledger.firestore_proxy import Faults, proxy

ROOT = Path(__file__).parents[3]
DECLARED = json.loads((ROOT / "subscriber" / "ledger" / "firestore.indexes.json").read_text())

QUERIES = [queries.due(NOW), *(queries.recorded(kind, NOW) for kind in Kind)]

Index = tuple[str, tuple[tuple[str, str], ...]]


def index_of(query: Query) -> Index:
    """The index that answers `query`: its collection, and fields with their directions.

    Fields that are compared for equality come first; any direction serves them. Then come those
    that order or bound the rest. Queries for equality alone need but the indexes of single fields,
    which are merged.
    """
    equal = sorted({each.field for each in query.filters if each.op == "=="})
    ordered = {order.field: order.direction for order in query.order}
    for each in query.filters:
        if each.op != "==":
            ordered.setdefault(each.field, "ASCENDING")
    if not ordered:
        raise NotImplementedError("no query of ours is for equality alone")
    return query.collection, tuple(dict.fromkeys(equal, "ASCENDING").items()) + tuple(
        ordered.items()
    )


NEEDED = {index_of(query) for query in QUERIES}


def test_an_index_is_what_a_query_compares_and_then_what_it_orders_by() -> None:
    equal, bounded = Filter("kind", "==", 1), Filter("at", "<", 2)
    newest = (Order("at", "DESCENDING"),)

    assert index_of(Query("c", (bounded,), ())) == ("c", (("at", "ASCENDING"),))
    assert index_of(Query("c", (bounded,), newest)) == ("c", (("at", "DESCENDING"),))
    assert index_of(Query("c", (bounded, equal), newest)) == (
        "c",
        (("kind", "ASCENDING"), ("at", "DESCENDING")),
    )


def test_the_composite_indexes_are_those_that_our_queries_need() -> None:
    declared = [
        (
            index["collectionGroup"],
            tuple((field["fieldPath"], field["order"]) for field in index["fields"]),
        )
        for index in DECLARED["indexes"]
    ]

    assert sorted(declared) == sorted(index for index in NEEDED if len(index[1]) > 1)
    assert {index["queryScope"] for index in DECLARED["indexes"]} == {"COLLECTION"}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def project() -> str:
    return f"test-{uuid4().hex}"


@pytest.fixture
def ledger(project: str, firestore_emulator: str, faults: Faults) -> Iterator[FirestoreLedger]:
    with proxy(firestore_emulator, faults) as host:
        yield FirestoreLedger(project, "(default)", host, timeout_s=30)


@ON_FIRESTORE
def test_every_field_that_is_written_is_indexed_as_our_queries_need_it_and_expires_if_it_says_so(
    project: str, ledger: FirestoreLedger, firestore_emulator: str
) -> None:
    ledger.record(some_work("settled", due_at=None))
    ledger.record(some_work("waiting"))
    ledger.decide([Change(seen(ledger, "job"), {}, expire_at=NOW)], [])
    database = Database(project, "(default)", firestore_emulator, 5.0)
    written = {
        (collection, field)
        for collection, keys in ((WORK, ["settled", "waiting"]), (SUBJECTS, ["job"]))
        for document in database.read(collection, keys)
        for field in document.values
    }
    single = {(collection, *fields[0]) for collection, fields in NEEDED if len(fields) == 1}

    expected = {
        (collection, field): {
            "indexes": [
                {"order": direction, "queryScope": "COLLECTION"}
                for of, by, direction in sorted(single)
                if (of, by) == (collection, field)
            ],
            "ttl": field == "expire_at",
        }
        for collection, field in written
    }

    declared = {
        (field["collectionGroup"], field["fieldPath"]): {
            "indexes": field["indexes"],
            "ttl": field.get("ttl", False),
        }
        for field in DECLARED["fieldOverrides"]
    }
    assert declared == expected
    assert len(DECLARED["fieldOverrides"]) == len(declared)


# no other query is sent


def test_the_queries_looked_at_are_all_there_are() -> None:
    names = {
        name
        for name, function in inspect.getmembers(queries, inspect.isfunction)
        if function.__module__ == queries.__name__
    }

    assert names == {"due", "recorded"}


def nodes(module: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(module.read_text()))


def used(tree: ast.AST) -> set[str]:
    """Names and attributes that occur in `tree`."""
    return {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
    }


SHIPPED = [
    module
    for folder in ("subscriber", "shared", "function")
    for module in (ROOT / folder).rglob("*.py")
]


def test_queries_are_made_in_one_module_only() -> None:
    makers = {
        module.name
        for module in SHIPPED
        if any(
            isinstance(node, ast.Call) and used(node.func) & {"Query", "Filter", "Order"}
            for node in nodes(module)
        )
    }

    assert makers == {"firestore_queries.py"}


def test_one_method_alone_asks_firestore_and_asks_what_it_is_handed() -> None:
    asks = {"where", "order_by", "stream", "collection_group", "find_nearest", "list_documents"}
    importers = {
        module
        for module in SHIPPED
        for node in nodes(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "google.cloud.firestore" in ast.unparse(node)
    }

    (module,) = importers
    asking = {
        node.name
        for node in nodes(module)
        if isinstance(node, ast.FunctionDef) and asks & used(node)
    }
    assert module.name == "firestore_database.py"
    assert asking == {"find"}
    assert set(inspect.signature(Database.find).parameters) == {"self", "query", "page"}


def shape(request: bytes) -> tuple[Any, ...]:
    """A query as it is sent, without the values that it compares with."""
    query = RunQueryRequest.deserialize(request).structured_query
    (collection,) = query.from_
    filters = query.where.composite_filter.filters or [query.where]
    ops = {"EQUAL": "==", "LESS_THAN": "<", "LESS_THAN_OR_EQUAL": "<="}
    return (
        collection.collection_id,
        tuple(
            (each.field_filter.field.field_path, ops[each.field_filter.op.name]) for each in filters
        ),
        tuple(
            (order.field.field_path, StructuredQuery.Direction(order.direction).name)
            for order in query.order_by
            if order.field.field_path != "__name__"  # where the next page begins; in every index
        ),
    )


@ON_FIRESTORE
def test_what_the_ledger_sends_is_those_queries(ledger: FirestoreLedger, faults: Faults) -> None:
    # some that have expired, so that `recorded` asks for a second page
    for number in range(3):
        ledger.record(some_work(str(number), due_at=None))
    settlement = Settlement("work", "me", NOW, {})
    calls: dict[str, Callable[[], object]] = {
        "record": lambda: ledger.record(some_work()),
        "claim": lambda: ledger.claim("work", owner="me", now=NOW, lease=LEASE),
        "postpone": lambda: ledger.postpone("work", owner="you", due_at=NOW, result={}),
        "due": lambda: ledger.due(NOW + LEASE, 10),
        "work": lambda: ledger.work("work"),
        "subjects": lambda: ledger.subjects(["job"]),
        "decide": lambda: ledger.decide([Change(seen(ledger, "job"), {})], [], settlement),
        "settle": lambda: ledger.settle("work", owner="me", now=NOW, result={}),
        "reopen": lambda: ledger.reopen("work", now=NOW),
        "recorded": lambda: ledger.recorded(Kind.ACTION, before=NOW + timedelta(days=31), limit=2),
        "cooldown": lambda: ledger.cooldown("host"),
        "cool_down": lambda: ledger.cool_down("host", NOW),
        "check": ledger.check,
    }
    public = {name for name, _ in inspect.getmembers(Ledger, inspect.isfunction)}
    assert set(calls) == {name for name in public if not name.startswith("_")}

    for call in calls.values():
        call()

    expected = {
        (
            query.collection,
            tuple((each.field, each.op) for each in query.filters),
            tuple((order.field, order.direction) for order in query.order),
        )
        for query in QUERIES
    }
    assert {shape(request) for request in faults.queries} == expected
    assert len(faults.queries) > len(expected), "a second page was asked for"


def test_the_file_says_nothing_that_firebase_does_not_know() -> None:
    assert set(DECLARED) == {"indexes", "fieldOverrides"}
    for index in DECLARED["indexes"]:
        assert set(index) == {"collectionGroup", "queryScope", "fields"}
        assert {key for field in index["fields"] for key in field} == {"fieldPath", "order"}
    for field in DECLARED["fieldOverrides"]:
        assert {"collectionGroup", "fieldPath", "indexes"} <= set(field)
        assert set(field) <= {"collectionGroup", "fieldPath", "indexes", "ttl"}
