"""The configuration: what `afterrun.yaml` says, or, without it, the guides' variables.

Read strictly: an unknown key, an unknown kind, a secret written as it is, a name that nothing
bears: each is a Mistake that says file, line, key and what to do. No value is repeated in it.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    SecretStr,
    ValidationError,
    field_validator,
)

from shared import secret_refs
from shared.errors import Mistake
from shared.settings import check_url
from subscriber import destinations
from subscriber.destination import Destination, Does
from subscriber.rules import Rule, not_empty
from subscriber.yaml_lines import Lines, Path

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

# what each kind of kinds acts on; a rule that asks for anything else would never do anything
_ACTS_ON = {Does.ALERT: "failed", Does.REFRESH: "succeeded"}

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
}

_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")


class DbtCloudSettings(BaseModel):
    """Where dbt Cloud is and what opens it. `host` is the account's access URL."""

    model_config = _STRICT

    host: str = "cloud.getdbt.com"
    token: SecretStr
    accounts: tuple[NonNegativeInt, ...] = ()
    base_url: str | None = None
    metadata_url: str | None = None

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


class _File(BaseModel):
    model_config = _STRICT

    version: Literal[1]
    dbt_cloud: DbtCloudSettings
    destinations: dict[str, dict[str, Any]] = Field(min_length=1)
    rules: Annotated[tuple[Rule, ...], BeforeValidator(not_empty)]


@dataclass(frozen=True)
class Configuration:
    """`warnings` are worth saying at start, but no reason not to start."""

    dbt_cloud: DbtCloudSettings
    destinations: Mapping[str, Destination]
    rules: tuple[Rule, ...]
    warnings: tuple[str, ...] = ()


def read(content: Any, lines: Lines) -> Configuration:
    """The configuration that `content`, a parsed file, holds; `lines` knows where each key stands.

    Raises Mistake with every mistake found, a line each, in the order of the file.
    """
    found, mistakes = _destinations(content, lines)
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        raise _all([*_mistakes(error, _File, lines), *mistakes], lines) from None
    mistakes += _rule_mistakes(file.rules, found, lines)
    if mistakes:
        raise _all(mistakes, lines)
    named = {name for rule in file.rules for name in rule.then}
    unused = tuple(
        lines.at(("destinations", name), "no rule names this destination")
        for name in found
        if name not in named
    )
    return Configuration(file.dbt_cloud, found, file.rules, unused)


def _all(mistakes: Iterable[str], lines: Lines) -> Mistake:
    def line(mistake: str) -> int:
        return int(mistake.removeprefix(f"{lines.file}:").partition(":")[0])

    return Mistake("\n".join(sorted(mistakes, key=line)))


def _destinations(content: Any, lines: Lines) -> tuple[dict[str, Destination], list[str]]:
    found: dict[str, Destination] = {}
    mistakes: list[str] = []
    listed = content.get("destinations") if isinstance(content, dict) else None
    for name, fields in listed.items() if isinstance(listed, dict) else ():
        if not isinstance(fields, dict):
            continue
        place: Path = ("destinations", name)
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


def _rule_mistakes(
    rules: tuple[Rule, ...], found: Mapping[str, Destination], lines: Lines
) -> list[str]:
    mistakes = []
    names: set[str] = set()
    for index, rule in enumerate(rules):
        if rule.name in names:
            mistakes.append(lines.at(("rules", index, "name"), "another rule has this name"))
        names.add(rule.name)
        for position, name in enumerate(rule.then):
            place: Path = ("rules", index, "then", position)
            if name not in lines.names(("destinations",)):
                hint = _did_you_mean(name, lines.names(("destinations",)))
                mistakes.append(lines.at(place, f"no destination bears this name{hint}"))
            elif name in found:
                mistakes += _never(rule, name, found[name], lines, index)
    return mistakes


def _never(rule: Rule, name: str, destination: Destination, lines: Lines, index: int) -> list[str]:
    acts_on = _ACTS_ON[destination.does]
    why = {
        Does.ALERT: "opens an alert when a run failed and closes it when the job recovers",
        Does.REFRESH: "refreshes on good data only",
    }[destination.does]
    return [
        lines.at(
            ("rules", index, "when", "outcome"),
            f"`{name}` {why}: it has nothing to do when a run {outcome}; ask for {acts_on}",
        )
        for outcome in rule.when.outcome
        if outcome != acts_on
    ]


def _mistakes(
    error: ValidationError, model: type[BaseModel], lines: Lines, place: Path = ()
) -> list[str]:
    told = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        where: Path = (*place, *found["loc"])
        key = str(where[-1]) if where else ""
        if found["type"] == "extra_forbidden":
            hint = _did_you_mean(key, _known_keys(model, found["loc"][:-1]))
            told.append(lines.at(where, f"unknown key{hint}"))
        elif found["type"] == "missing":
            told.append(lines.at(where[:-1], f"`{key}` is missing"))
        else:
            told.append(lines.at(where, in_words(found["type"], found["msg"])))
    return told


def in_words(kind: str, said: str) -> str:
    """What a pydantic error of type `kind` says, as a person would; `said` is how pydantic does."""
    own = said.removeprefix("Value error, ").replace("Input should be ", "write ")
    return _WORDS.get(kind, own)


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at `path` below `model`."""
    known: Any = model
    for key in path:
        if isinstance(key, int):
            continue
        annotation = known.model_fields[key].annotation if key in known.model_fields else None
        known = next(
            (
                part
                for part in (annotation, *getattr(annotation, "__args__", ()))
                if isinstance(part, type) and issubclass(part, BaseModel)
            ),
            None,
        )
        if known is None:
            return []
    return list(known.model_fields)


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known are: {', '.join(known)}" if known else ""
