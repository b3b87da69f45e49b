"""The configuration: what `afterrun.yaml` says, or, without it, the guides' variables.

Read strictly: an unknown key, an unknown kind, a secret written as it is, a name that nothing
bears: each is a finding with file, line, column, key and what to do. No value is repeated in it.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeInt,
    SecretStr,
    ValidationError,
    field_validator,
)

from shared import secret_refs
from shared.errors import Mistake
from shared.settings import check_url
from subscriber import checks, destinations, overlaps, pagers
from subscriber.destination import Destination
from subscriber.durations import Duration
from subscriber.findings import Finding, Mistakes, in_order
from subscriber.hints import did_you_mean
from subscriber.owners import Owner
from subscriber.rules import STRICT, Override, Rule, checked_name, not_empty
from subscriber.yaml_lines import START, Lines, Path

M = TypeVar("M", bound=BaseModel)

MAX_EVENT_AGE = timedelta(hours=24)

# pydantic's types of errors, in words for whoever writes the file; the others keep their own
_WORDS = {
    "model_type": "write keys and values here",
    "dict_type": "write keys and values here",
    "tuple_type": "write a list here, such as [one, another]",
    "string_type": "write text here; what looks like a number goes in quotes",
    "string_too_short": "this is empty",
    "too_short": "this is empty; write at least one",
    "int_type": "write a whole number here",
    "int_parsing": "write a whole number here",
    "int_from_float": "write a whole number here",
    "bool_type": "write true or false here",
    "bool_parsing": "write true or false here",
}

_WORD = re.compile(r"[A-Za-z_]{1,30}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")


class DbtCloudSettings(BaseModel):
    """Where dbt Cloud is and what opens it. `host` is the account's access URL."""

    model_config = STRICT

    host: str = Field("cloud.getdbt.com", description="the host of your account's access URL")
    token: SecretStr = Field(
        description="where a service token is kept that may read metadata and, better, runs"
    )
    accounts: tuple[NonNegativeInt, ...] = Field(
        (), description="ids of your accounts; events of others are told to nobody"
    )
    base_url: str | None = Field(None, description="another address of the Administrative API")
    metadata_url: str | None = Field(None, description="another address of the Discovery API")

    @field_validator("token")
    @classmethod
    def _is_a_reference(cls, value: SecretStr) -> SecretStr:
        try:
            secret_refs.parse(value.get_secret_value())
        except Mistake as mistake:
            raise ValueError(str(mistake)) from None
        return value

    @field_validator("base_url", "metadata_url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        try:
            return None if value is None else check_url(value)
        except Mistake as mistake:
            raise ValueError(str(mistake)) from None

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, value: str) -> str:
        bare = value.strip().removeprefix("https://").rstrip("/")
        if not _HOST.fullmatch(bare):
            raise ValueError("write the host of your access URL, such as ab123.us1.dbt.com")
        return bare


class File(BaseModel):
    """What happens after a dbt Cloud run: the configuration of Afterrun."""

    model_config = STRICT

    version: Literal[1] = Field(description="of this form of configuration")
    dbt_cloud: DbtCloudSettings = Field(description="where dbt Cloud is, and what opens it")
    max_event_age: Duration = Field(
        MAX_EVENT_AGE, description="how old an event may be to be told by itself"
    )
    owners: dict[str, Owner] = Field(
        default_factory=dict, description="how owners of nodes are reached, by their names in dbt"
    )
    destinations: dict[str, dict[str, Any]] = Field(
        min_length=1, description="what may be told, refreshed or run, by names of yours"
    )
    rules: Annotated[tuple[Rule, ...], BeforeValidator(not_empty)] = Field(
        description="when to do so; all that match apply"
    )
    overrides: tuple[Override, ...] = Field(
        (), description="where what happens in an environment goes instead"
    )


@dataclass(frozen=True)
class Configuration:
    """`warnings` are worth saying at start, but no reason not to start.

    `owners` are by the name or e-mail address that dbt gives as a node's owner. Events older than
    `max_event_age` are told only if their run is still the newest of its job. `lines` knows where
    in the file each key stands; None where there is no file.
    """

    dbt_cloud: DbtCloudSettings
    destinations: Mapping[str, Destination]
    rules: tuple[Rule, ...]
    warnings: tuple[Finding, ...] = ()
    overrides: tuple[Override, ...] = ()
    owners: Mapping[str, Owner] = field(default_factory=dict)
    max_event_age: timedelta = MAX_EVENT_AGE
    lines: Lines | None = field(default=None, repr=False, compare=False)


def read(content: Any, lines: Lines) -> Configuration:
    """The configuration that `content`, a parsed file, holds; `lines` knows where each key stands.

    Raises Mistakes with all that are found, in the order of the file.
    """
    found, mistakes = _destinations(content, lines)
    rules, overrides = _each(Rule, content, "rules"), _each(Override, content, "overrides")
    mistakes += _misnamed(content, {"rules": rules, "overrides": overrides}, lines)
    owners = content.get("owners") if isinstance(content, dict) else None
    mistakes += _owners(owners if isinstance(owners, dict) else {}, lines)
    file: File | None = None
    try:
        file = File.model_validate(content)
    except ValidationError as error:
        mistakes = [*_mistakes(error, File, lines), *mistakes]
    accounts = file.dbt_cloud.accounts if file else ()
    mistakes += checks.mistakes(rules, overrides, found, accounts, lines)
    if file is None or mistakes:
        raise Mistakes(mistakes)
    warnings = (
        *checks.unused(file.rules, file.overrides, found, lines),
        *checks.odd_words(rules, lines),
        *checks.shared(found, lines),
        *overlaps.found(file.rules, file.overrides, found, lines),
        *pagers.missed(file.rules, file.overrides, found, lines),
    )
    return Configuration(
        dbt_cloud=file.dbt_cloud,
        destinations=found,
        rules=file.rules,
        warnings=in_order(warnings),
        overrides=file.overrides,
        owners=file.owners,
        max_event_age=file.max_event_age,
        lines=lines,
    )


def _each(model: type[M], content: Any, key: str) -> dict[int, M]:
    """Those of the list at `key` that can be read, though others cannot, by their place."""
    listed = content.get(key) if isinstance(content, dict) else None
    found = {}
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        with suppress(ValidationError):
            found[index] = model.model_validate(item)
    return found


def _misnamed(
    content: Any, could_be_read: Mapping[str, Mapping[int, Any]], lines: Lines
) -> Iterator[Finding]:
    """Names that nothing bears in rules and overrides that cannot be read for another reason."""
    for key, readable in could_be_read.items():
        listed = content.get(key) if isinstance(content, dict) else None
        for index, item in enumerate(listed if isinstance(listed, list) else ()):
            then = item.get("then") if isinstance(item, dict) and index not in readable else None
            if isinstance(then, list) and all(isinstance(name, str) for name in then):
                yield from checks.misnamed(then, (key, index, "then"), lines)


def _owners(listed: Mapping[str, Any], lines: Lines) -> Iterator[Finding]:
    seen: set[str] = set()
    for name in listed:
        plain = name.strip().casefold()
        if not plain:
            yield lines.at(
                ("owners", name), "an owner has no name; write that of dbt, or an e-mail"
            )
        elif plain in seen:
            yield lines.at(("owners", name), "another owner has this name; capitals do not matter")
        seen.add(plain)


def _destinations(content: Any, lines: Lines) -> tuple[dict[str, Destination], list[Finding]]:
    found: dict[str, Destination] = {}
    mistakes: list[Finding] = []
    listed = content.get("destinations") if isinstance(content, dict) else None
    for name, fields in listed.items() if isinstance(listed, dict) else ():
        if not isinstance(fields, dict):
            continue
        place: Path = ("destinations", name)
        mistakes += [lines.at(place, why) for why in _unfit(name)]
        kind = fields.get("kind")
        if not isinstance(kind, str) or kind not in destinations.names():
            mistakes.append(
                lines.at(
                    (*place, "kind") if "kind" in fields else place,
                    f"`kind` must be one of: {', '.join(destinations.names())}",
                )
            )
            continue
        model = destinations.kind(kind)
        try:
            found[name] = model.model_validate({k: v for k, v in fields.items() if k != "kind"})
        except ValidationError as error:
            mistakes += _mistakes(error, model, lines, place)
    return found, mistakes


def _unfit(name: str) -> Iterator[str]:
    """Why a destination cannot have this name.

    The ledger knows an action by a key in which it stands between slashes: if it had one itself,
    two actions could have one key, and only one of them would ever be carried out.
    """
    try:
        checked_name(name)
    except ValueError as error:
        yield str(error)
    if "/" in name:
        yield "a destination's name has no `/`; write another letter"


def _mistakes(
    error: ValidationError, model: type[BaseModel], lines: Lines, place: Path = ()
) -> list[Finding]:
    told = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        where: Path = (*place, *found["loc"])
        key = str(where[-1]) if where else ""
        if found["type"] == "extra_forbidden":
            hint = did_you_mean(key, _known_keys(model, found["loc"][:-1]))
            told.append(_at(where, f"unknown key{hint}", lines))
        elif found["type"] == "missing":
            told.append(lines.at(where[:-1], f"`{key}` is missing"))
        else:
            told.append(lines.at(where, in_words(found["type"], found["msg"])))
    return told


def _at(where: Path, what: str, lines: Lines) -> Finding:
    """`what`, said of a key that nobody knows; unless it is a word, it may be a secret."""
    if _WORD.fullmatch(str(where[-1])):
        return lines.at(where, what)
    hidden: Path = (*where[:-1], "(not shown)")
    return Lines(lines.file, {hidden: lines.places.get(where, START)}).at(hidden, what)


def in_words(kind: str, said: str) -> str:
    """What a pydantic error of type `kind` says, as a person would; `said` is how pydantic does."""
    own = said.removeprefix("Value error, ")
    own = re.sub("^Input should be ((?:greater|less) than)", r"write a number \1", own)
    own = own.replace("Input should be ", "write ")
    return _WORDS.get(kind, own)


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at `path` below `model`."""
    known: Any = model
    for key in path:
        if isinstance(key, str) and known is not None and key in known.model_fields:
            known = _model_in(known.model_fields[key].annotation)
    return list(known.model_fields) if known is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that `annotation` is, or has: a list of it, a mapping to it, it or nothing."""
    parts = (annotation, *getattr(annotation, "__args__", ()))
    models = (each for each in parts if isinstance(each, type) and issubclass(each, BaseModel))
    return next(models, None)
