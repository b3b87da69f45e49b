"""The JSON Schema of the configuration file, for editors; made from the models that read it.

What types do not say (whether null, nothing, or one thing in place of a list is taken) is asked of
the models themselves, so that the schema takes what they take. What keys have to do with each
other, only `afterrun check` can see.

Source: https://json-schema.org/draft/2020-12
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from shared import secret_refs
from subscriber import destinations
from subscriber.configuration import File
from subscriber.destination import Destination
from subscriber.rules import NAME_SCHEMA

NAME = "afterrun.schema.json"
COMMENT = f"# yaml-language-server: $schema={NAME}"
"""What an editor looks for at the head of a file."""

Schema = dict[str, Any]

_SECRET: Schema = {
    "type": "string",
    "pattern": secret_refs.SCHEMA,
    "description": f"where a secret is kept, never the secret: {secret_refs.FORMS}",
}
_SECRET_REF: Schema = {"$ref": "#/$defs/SecretReference"}
# other words for what they mean, as the models take them
_BOOLEANS: list[Schema] = [
    {
        "type": "string",
        "pattern": "^(?:[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]"
        "|[Oo][Nn]|[Oo][Ff][Ff]|[TtFfYyNn01])$",
    },
    {"enum": [0, 1]},
]
_INTEGER: Schema = {"type": "string", "pattern": r"^\s*[+-]?[0-9]+(?:_[0-9]+)*(?:\.0*)?\s*$"}


def text() -> str:
    """The schema as it is kept in a file."""
    return json.dumps(made(), indent=2, ensure_ascii=False) + "\n"


def made() -> Schema:
    """The schema of a configuration file."""
    kinds = {name: destinations.kind(name) for name in destinations.names()}
    definitions: Schema = {
        "SecretReference": _SECRET,
        "Destination": _destination(kinds),
        "JsonValue": {"description": "any value"},
    }
    for model in models(File):
        definitions[model.__name__] = _schema(model)
    for name, kind in kinds.items():
        for model in models(kind):
            definitions[model.__name__] = _schema(model)
        _name_kind(definitions[kind.__name__], name)
    file = definitions.pop(File.__name__)
    file["properties"]["destinations"] |= {
        "propertyNames": {**NAME_SCHEMA, "pattern": r"^[^\s/](?:[^\n/]*[^\s/])?$"},
        "additionalProperties": {"$ref": "#/$defs/Destination"},
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "afterrun.yaml"}
    return {**head, **file, "$defs": dict(sorted(definitions.items()))}


def _destination(kinds: dict[str, type[Destination]]) -> Schema:
    """Any destination: its kind, and what is right of that kind."""
    return {
        "type": "object",
        "description": "something to be told, refreshed or run",
        "properties": {"kind": {"enum": list(kinds), "description": "what it is"}},
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind.__name__}"},
            }
            for name, kind in kinds.items()
        ],
    }


def _name_kind(schema: Schema, name: str) -> None:
    schema["properties"] = {"kind": {"const": name}, **schema["properties"]}
    schema["required"] = ["kind", *schema.get("required", ())]


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """`model`, and those that its fields hold."""
    yield model
    for field in model.model_fields.values():
        for each in _models_in(field.annotation):
            yield from models(each)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


def _schema(model: type[BaseModel]) -> Schema:
    """The schema of one model, as far as its types say, and as it answers when it is asked."""
    schema = model.model_json_schema(schema_generator=_Generator, ref_template="#/$defs/{model}")
    schema.pop("$defs", None)
    schema.pop("title", None)
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    if [error["loc"] for error in errors(model, {})] == [()]:
        schema["minProperties"] = 1
    schema["properties"] = {
        name: _asked(model, name, field) for name, field in schema["properties"].items()
    }
    return schema


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """What is said of a default: only what could be written there."""
        if isinstance(dft, timedelta):
            hours = int(dft.total_seconds()) // 3600
            return f"{hours}h"
        return dft if isinstance(dft, str | int | float) and dft != "" else None


def _asked(model: type[BaseModel], name: str, found: Schema) -> Schema:
    """The schema of the field `name`, with what only the model knows."""
    about = {key: found.pop(key) for key in ("description", "default") if key in found}
    found.pop("title", None)
    if about.get("default", ...) is None:
        del about["default"]
    choices = [each for each in found.pop("anyOf", [{}]) if each.get("type") != "null"]
    # what stands beside the choices is said of each: a pattern, a limit
    choices = [_choice(model, name, {**found, **each}) for each in choices]
    also = [extra for choice in choices for extra in _also(model, name, choice)]
    if _takes(model, name, None):
        also.append({"type": "null"})
    whole = [*choices, *also]
    return {**about, **(whole[0] if len(whole) == 1 else {"anyOf": whole}), **about}


def _choice(model: type[BaseModel], name: str, schema: Schema) -> Schema:
    """One of the things that a field may be."""
    is_any_text = schema.get("type") == "string" and not schema.keys() & {"enum", "pattern"}
    if schema.get("format") == "password":
        return dict(_SECRET_REF)
    if is_any_text and not _takes(model, name, ""):
        schema.setdefault("minLength", 1)
    if schema.get("type") == "array":
        schema["items"] = _item(schema["items"])
        if not _takes(model, name, []):
            schema.setdefault("minItems", 1)
    return schema


def _item(schema: Schema) -> Schema:
    if schema.get("format") == "password":
        return dict(_SECRET_REF)
    return {"anyOf": [schema, _INTEGER]} if schema.get("type") == "integer" else schema


def _also(model: type[BaseModel], name: str, schema: Schema) -> list[Schema]:
    """What else is taken for `schema`."""
    if "const" in schema or schema == _SECRET_REF:
        return []
    match schema.get("type"):
        case "array" if not _is(model, name, "x", "tuple_type"):
            return [schema["items"]]
        case "boolean" if _takes(model, name, "no"):
            return _BOOLEANS
        case "integer" if not _is(model, name, "1", "int_type"):
            return [_INTEGER]
        case None if "$ref" in schema and _takes(model, name, value=False):
            return [{"const": False}]
    return []


def _takes(model: type[BaseModel], name: str, value: Any) -> bool:
    return not any(error["loc"][:1] == (name,) for error in errors(model, {name: value}))


def _is(model: type[BaseModel], name: str, value: Any, kind: str) -> bool:
    """Whether `value` is refused in the field `name` for being of another type."""
    return (kind, (name,)) in [(e["type"], e["loc"]) for e in errors(model, {name: value})]


def errors(model: type[BaseModel], content: dict[str, Any]) -> list[Any]:
    """What `model` has to say against `content`, in pydantic's terms."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False, include_input=False)
    return []
