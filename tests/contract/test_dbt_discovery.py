"""The lab's Discovery schema against the published one, found through API_SPECS."""

import os
from functools import cache
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)

from lab.dbt_cloud.schema import schema

SPECS = os.environ.get("API_SPECS", "")

pytestmark = pytest.mark.skipif(
    not SPECS, reason="API_SPECS names no folder with published API descriptions"
)

JOB_LISTS = ("models", "tests", "seeds", "snapshots", "sources", "exposures")
JOB_NODES = ("ModelNode", "TestNode", "SeedNode", "SnapshotNode", "SourceNode", "ExposureNode")

NEWER_ARGUMENTS = {("JobNode", field, name) for field in JOB_LISTS for name in ("first", "after")}
NEWER_FIELDS = {(node, "paginationCursor") for node in JOB_NODES}
"""The pages of a job's lists: the documentation has them, the SDL was published before."""

SERVED = schema()
OURS = sorted(
    name
    for name, kind in SERVED.type_map.items()
    if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
)


@cache
def published() -> GraphQLSchema:
    return build_schema((Path(SPECS) / "dbt-discovery" / "schema.graphql").read_text())


@pytest.mark.parametrize("name", OURS)
def test_a_type_of_the_lab_is_one_of_the_published_types_and_of_the_same_kind(name: str) -> None:
    assert type(theirs(name)) is type(SERVED.type_map[name])


@pytest.mark.parametrize("name", OURS)
def test_its_fields_have_the_published_types_and_are_null_only_where_those_are(name: str) -> None:
    ours, known = fields(SERVED.type_map[name]), fields(theirs(name))

    differing = {
        field: (kind, known.get(field))
        for field, kind in ours.items()
        if kind != known.get(field) and (name, field) not in NEWER_FIELDS
    }

    assert differing == {}


@pytest.mark.parametrize("name", OURS)
def test_its_fields_take_the_published_arguments(name: str) -> None:
    ours, known = arguments(SERVED.type_map[name]), arguments(theirs(name))

    differing = {
        argument: (kind, known.get(argument))
        for argument, kind in ours.items()
        if kind != known.get(argument) and (name, *argument) not in NEWER_ARGUMENTS
    }
    forgotten = {
        argument
        for argument, kind in known.items()
        if kind.endswith("!") and argument not in ours and argument[0] in fields_of(SERVED, name)
    }

    assert differing == {}
    assert forgotten == set()


@pytest.mark.parametrize("name", OURS)
def test_its_values_are_all_the_published_values(name: str) -> None:
    ours, known = SERVED.type_map[name], theirs(name)

    if isinstance(ours, GraphQLEnumType) and isinstance(known, GraphQLEnumType):
        assert set(ours.values) == set(known.values)


@pytest.mark.parametrize("name", OURS)
def test_no_field_of_it_is_deprecated(name: str) -> None:
    known = theirs(name)

    if isinstance(known, GraphQLObjectType):
        deprecated = {f for f, field in known.fields.items() if field.deprecation_reason}
        assert deprecated & set(fields(SERVED.type_map[name])) == set()


def test_what_is_newer_than_the_published_schema_is_still_missing_there() -> None:
    fields_there = {(name, f) for name in JOB_NODES for f in fields(theirs(name))}
    arguments_there = {("JobNode", *argument) for argument in arguments(theirs("JobNode"))}

    assert NEWER_FIELDS & fields_there == set()
    assert NEWER_ARGUMENTS & arguments_there == set()


def test_without_pages_the_lab_has_nothing_that_is_newer() -> None:
    older = schema(knows_first=False)

    newer = {
        (name, field)
        for name in OURS
        for field in fields(older.type_map[name])
        if field not in fields(theirs(name))
    }
    newer_arguments = set(arguments(older.type_map["JobNode"])) - set(arguments(theirs("JobNode")))

    assert newer == set()
    assert newer_arguments == set()


def theirs(name: str) -> GraphQLNamedType:
    assert name in published().type_map
    return published().type_map[name]


def fields_of(of: GraphQLSchema, name: str) -> dict[str, str]:
    return fields(of.type_map[name])


def fields(of: GraphQLNamedType) -> dict[str, str]:
    """The types of its fields, as SDL writes them: an exclamation mark means never null."""
    if isinstance(of, GraphQLObjectType | GraphQLInputObjectType):
        return {name: str(field.type) for name, field in of.fields.items()}
    return {}


def arguments(of: GraphQLNamedType) -> dict[tuple[str, str], str]:
    if not isinstance(of, GraphQLObjectType):
        return {}
    return {
        (name, argument): str(value.type)
        for name, field in of.fields.items()
        for argument, value in field.args.items()
    }
