"""The schema that Discovery's queries are checked against and executed on.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-api
"""

from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    REMOVE,
    DocumentNode,
    FieldDefinitionNode,
    GraphQLScalarType,
    GraphQLSchema,
    InputValueDefinitionNode,
    IntValueNode,
    ObjectTypeDefinitionNode,
    StringValueNode,
    ValueNode,
    Visitor,
    extend_schema,
    parse,
    visit,
)

SDL = Path(__file__).with_name("schema.graphql")

MOST_THAT_IS_EXACT = 2**53 - 1
"""Beyond it, JavaScript's numbers are not; ids are then written as text."""


@cache
def schema(*, knows_first: bool = True) -> GraphQLSchema:
    """The schema; without `knows_first`, as it was before the lists of a job had pages."""
    document = parse(SDL.read_text(), no_location=True)
    if not knows_first:
        document = visit(document, _WithoutPages())
    definitions = tuple(
        definition
        for definition in document.definitions
        if getattr(getattr(definition, "name", None), "value", "") != "BigInt"
    )
    return extend_schema(
        GraphQLSchema(types=[_BIG_INT]), DocumentNode(definitions=definitions), assume_valid=True
    )


class _WithoutPages(Visitor):
    def enter_object_type_definition(
        self, node: ObjectTypeDefinitionNode, *_: Any
    ) -> ObjectTypeDefinitionNode | None:
        if node.name.value == "JobNode":
            visited: ObjectTypeDefinitionNode = visit(node, _WithoutPageArguments())
            return visited
        return None

    def enter_field_definition(self, node: FieldDefinitionNode, *_: Any) -> Any:
        return REMOVE if node.name.value == "paginationCursor" else None


class _WithoutPageArguments(Visitor):
    def enter_input_value_definition(self, node: InputValueDefinitionNode, *_: Any) -> Any:
        return REMOVE if node.name.value in ("first", "after") else None


def _from_value(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    raise ValueError("BigInt cannot represent this value")


def _from_literal(node: ValueNode, _variables: Any = None) -> int:
    return _from_value(node.value if isinstance(node, IntValueNode | StringValueNode) else None)


def _to_json(value: Any) -> int | str:
    number = _from_value(value)
    return number if abs(number) <= MOST_THAT_IS_EXACT else str(number)


_BIG_INT = GraphQLScalarType(
    "BigInt", serialize=_to_json, parse_value=_from_value, parse_literal=_from_literal
)
