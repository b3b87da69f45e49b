"""The lab's Discovery schema against the published one."""

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)

from lab.dbt_cloud.schema import schema
from tests.contract import published as descriptions

JOB_LISTS = ("models", "tests", "seeds", "snapshots", "sources", "exposures")
JOB_NODES = ("ModelNode", "TestNode", "SeedNode", "SnapshotNode", "SourceNode", "ExposureNode")

NEWER_ARGUMENTS = {("JobNode", field, name) for field in JOB_LISTS for name in ("first", "after")}
NEWER_FIELDS = {(node, "paginationCursor") for node in JOB_NODES}
"""The pages of a job's lists: the documentation has them, the SDL was published before."""

SERVED = schema()
OURS = [
    kind
    for _, kind in sorted(SERVED.type_map.items())
    if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
]
OBJECTS = [kind for kind in OURS if isinstance(kind, GraphQLObjectType)]
ENUMS = [kind for kind in OURS if isinstance(kind, GraphQLEnumType)]


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    return build_schema(descriptions.text("dbt-discovery/schema.graphql"))


@pytest.mark.parametrize("ours", OURS, ids=str)
def test_a_type_of_the_lab_is_one_of_the_published_types_and_of_the_same_kind(
    ours: GraphQLNamedType, published: GraphQLSchema
) -> None:
    assert type(published.type_map[ours.name]) is type(ours)


@pytest.mark.parametrize("ours", OURS, ids=str)
def test_its_fields_have_the_published_types_and_are_null_only_where_those_are(
    ours: GraphQLNamedType, published: GraphQLSchema
) -> None:
    known = fields(published.type_map[ours.name])

    differing = {
        field: (kind, known.get(field))
        for field, kind in fields(ours).items()
        if kind != known.get(field) and (ours.name, field) not in NEWER_FIELDS
    }

    assert differing == {}


@pytest.mark.parametrize("ours", OBJECTS, ids=str)
def test_its_fields_take_the_published_arguments(
    ours: GraphQLObjectType, published: GraphQLSchema
) -> None:
    known = arguments(published.type_map[ours.name])

    differing = {
        argument: (kind, known.get(argument))
        for argument, kind in arguments(ours).items()
        if kind != known.get(argument) and (ours.name, *argument) not in NEWER_ARGUMENTS
    }
    forgotten = {
        (field, argument)
        for (field, argument), kind in known.items()
        if kind.endswith("!") and field in ours.fields and argument not in ours.fields[field].args
    }

    assert differing == {}
    assert forgotten == set()


@pytest.mark.parametrize("ours", OBJECTS, ids=str)
def test_no_field_of_it_is_deprecated(ours: GraphQLObjectType, published: GraphQLSchema) -> None:
    known = published.type_map[ours.name]

    assert isinstance(known, GraphQLObjectType)
    deprecated = {name for name, field in known.fields.items() if field.deprecation_reason}
    assert deprecated & set(ours.fields) == set()


@pytest.mark.parametrize("ours", ENUMS, ids=str)
def test_its_values_are_the_published_values(
    ours: GraphQLEnumType, published: GraphQLSchema
) -> None:
    known = published.type_map[ours.name]

    assert isinstance(known, GraphQLEnumType)
    assert set(ours.values) == set(known.values)


def test_what_is_newer_than_the_published_schema_is_still_missing_there(
    published: GraphQLSchema,
) -> None:
    fields_there = {(name, f) for name in JOB_NODES for f in fields(published.type_map[name])}
    arguments_there = {
        ("JobNode", *argument) for argument in arguments(published.type_map["JobNode"])
    }

    assert NEWER_FIELDS & fields_there == set()
    assert NEWER_ARGUMENTS & arguments_there == set()


def test_without_pages_the_lab_has_nothing_that_is_newer(published: GraphQLSchema) -> None:
    older = schema(knows_first=False)

    for name in (*JOB_NODES, "JobNode"):
        ours, known = older.type_map[name], published.type_map[name]
        assert set(fields(ours)) <= set(fields(known))
        assert set(arguments(ours)) <= set(arguments(known))


def fields(of: GraphQLNamedType) -> dict[str, str]:
    """The types of its fields, as SDL writes them: an exclamation mark means never null."""
    if isinstance(of, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
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
