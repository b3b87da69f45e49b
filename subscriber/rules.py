"""Rules: when a run looks so, then these destinations."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from shared.event import RunEvent
from subscriber import templates
from subscriber.durations import Duration
from subscriber.patterns import NOT, Patterns, PatternsField, is_id
from subscriber.run import Outcome, Result, Severity
from subscriber.templates import NOTE_WRITTEN, TITLE_WRITTEN, checked_note, checked_title
from subscriber.words import Words

STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

REMIND_LEAST, REMIND_MOST = timedelta(minutes=10), timedelta(days=28)
TIMEOUT_LEAST, TIMEOUT_MOST = timedelta(minutes=5), timedelta(hours=24)
HEAR_LIMIT = 20  # destinations that hear of one refresh: each is written down with its end
RUNS_LIMIT = 1_000
NAME_LIMIT = 100  # characters of a name that is ours: of a rule, of a destination
MINUTES_LIMIT = 7 * 24 * 60

NAME_SCHEMA: dict[str, Any] = {"pattern": r"^\S(?:.*\S)?$", "maxLength": NAME_LIMIT}
"""What a name looks like, for editors: see `checked_name`."""

RuleOutcome = Literal["failed", "succeeded", "warned", "clean", "started", "cancelled"]
RuleEvent = Literal["completed", "errored", "started"]
PROBLEMS: frozenset[RuleOutcome] = frozenset({"failed", "warned"})


def not_empty(value: Any) -> Any:
    """`value`, unless it is an empty list; pydantic's own check counts what is valid in it."""
    if value in ([], ()):
        raise ValueError("this list is empty; write at least one")
    return value


def _listed(value: Any) -> Any:
    return not_empty(value) if isinstance(value, list | tuple) else [value]


def _is_written(value: Any) -> Any:
    if value is None:
        raise ValueError("this is empty; leave the key out for everything")
    return value


def _has_a_value(value: Any) -> Any:
    if value is None:
        raise ValueError("this is empty; write a value, or leave the key out")
    return value


def checked_name(value: str) -> str:
    """`value`, a name that the ledger, lines of the log and mistakes can show; else ValueError."""
    if not value.strip():
        raise ValueError("this is empty")
    if len(value) > NAME_LIMIT:
        raise ValueError(f"this name is too long; write at most {NAME_LIMIT} characters")
    if not value.isprintable() or value != value.strip():
        raise ValueError("write this name on one line, without white space around it")
    return value


class Nodes(BaseModel):
    """Which nodes of a run a rule is about; what is left out matches every node."""

    model_config = STRICT

    kind: PatternsField | None = Field(None, description="model, test, seed, snapshot, source, ...")
    tag: PatternsField | None = Field(None, description="tags; a test has those of what it tests")
    group: PatternsField | None = Field(None, description="dbt groups")
    owner: PatternsField | None = Field(None, description="names or e-mail addresses of owners")
    name: PatternsField | None = Field(None, description="names or globs")
    path: PatternsField | None = Field(None, description="paths of files, such as models/finance/*")

    _written = field_validator("*", mode="before")(_is_written)

    @model_validator(mode="after")
    def _says_something(self) -> "Nodes":
        if not self.model_fields_set:
            raise ValueError("this is empty; leave the key out for every node")
        return self

    def match(self, node: Result) -> bool:
        """Whether everything matches; what could not be looked up of a node matches as well.

        So that a failure is told to one team too many rather than to nobody. Every node has a
        path: where there is none, it is not known.
        """
        owners = [owner for owner in (node.owner, node.owner_email) if owner]
        known = (
            _any(self.kind, [node.kind]),
            _any(self.name, [node.name, node.unique_id]),
            not node.path or _any(self.path, [node.path]),
        )
        looked_up = (
            _any(self.tag, node.tags),
            _any(self.group, [node.group] if node.group else []),
            _any(self.owner, owners),
        )
        return all(known) and (not node.is_described or all(looked_up))

    def can_tell(self, node: Result) -> bool:
        """Whether all that is asked of `node` here is known, so that it matches for certain."""
        looks_up = any(each is not None for each in (self.tag, self.group, self.owner))
        lacks_path = self.path is not None and not node.path
        return node.is_described or not (looks_up or lacks_path)


def _any(patterns: Patterns | None, names: Iterable[str]) -> bool:
    return patterns is None or patterns.match_any(names)


class When(BaseModel):
    """What a run must look like; what is left out matches everything."""

    model_config = STRICT

    outcome: Annotated[tuple[RuleOutcome, ...], BeforeValidator(_listed)] = Field(
        description="how the run ended: failed, succeeded, warned, clean, started, cancelled"
    )
    event: Annotated[tuple[RuleEvent, ...], BeforeValidator(_listed)] | None = Field(
        None, description="the event that tells it: completed, errored, started"
    )
    account: PatternsField | None = Field(None, description="account ids")
    project: PatternsField | None = Field(None, description="names, ids or globs")
    environment: PatternsField | None = Field(None, description="names, ids or globs")
    job: PatternsField | None = Field(None, description="names, ids or globs")
    trigger: PatternsField | None = Field(
        None, description="what started the run: scheduled, api, ui, ci, merge, ...; `!ci` = not ci"
    )
    nodes: Nodes | None = Field(None, description="only these nodes")

    _written = field_validator(
        "event", "account", "project", "environment", "job", "trigger", "nodes", mode="before"
    )(_is_written)

    @field_validator("account")
    @classmethod
    def _is_an_id(cls, value: Patterns | None) -> Patterns | None:
        if value is not None and not all(is_id(each.removeprefix(NOT)) for each in value.written):
            raise ValueError("an account has no name in an event; write its id")
        return value

    def missed(self, event: RunEvent) -> str:
        """What the event itself tells that does not match, outcome aside; empty if all does.

        A name or an id that the event does not tell matches: it may be the one that is meant.
        """
        return self._missed_job(event) or ("" if self._is_told_by(event) else "another event")

    def covers(self, event: RunEvent) -> bool:
        """Whether runs of this job are its concern, whatever their end and whichever event."""
        return not self._missed_job(event)

    def could_match(self, event: RunEvent, ended: Outcome) -> bool:
        """Whether everything matches that is known before dbt Cloud is asked."""
        return bool(set(self.outcome) & POSSIBLE[ended]) and not self.missed(event)

    def missed_trigger(self, trigger: str) -> bool:
        """Whether `trigger` does not match; empty, it is not known, and then every rule does.

        dbt Cloud's APIs tell the trigger, and an alert goes out though they are down.
        """
        return self.trigger is not None and bool(trigger) and not self.trigger.match_any([trigger])

    def _missed_job(self, event: RunEvent) -> str:
        fits = {
            "account": _fits(self.account, event.account_id),
            "project": _fits(self.project, event.project_id, event.project_name),
            "environment": _fits(self.environment, event.environment_id, event.environment_name),
            "job": _fits(self.job, event.job_id, event.job_name),
        }
        return next((f"another {key}" for key, does in fits.items() if not does), "")

    def _is_told_by(self, event: RunEvent) -> bool:
        return self.event is None or event.type.removeprefix("job.run.") in self.event


def said(ended: Outcome, *, warned: bool | None) -> frozenset[RuleOutcome]:
    """Every word for how a run ended that a rule may use; `warned` is None if it is not known."""
    match ended:
        case Outcome.FAILED:
            return frozenset({"failed"})
        case Outcome.SUCCEEDED if warned is None:
            return frozenset({"succeeded"})
        case Outcome.SUCCEEDED:
            return frozenset({"succeeded", "warned" if warned else "clean"})
        case Outcome.STARTED:
            return frozenset({"started"})
        case Outcome.CANCELLED:
            return frozenset({"cancelled"})
        case Outcome.UNKNOWN:
            return frozenset()


POSSIBLE = {ended: said(ended, warned=True) | said(ended, warned=False) for ended in Outcome}
"""What may turn out to be said of a run of which only the status code is known."""


def _fits(patterns: Patterns | None, id_: str, name: str = "") -> bool:
    return patterns is None or patterns.may_match(id=id_, name=name)


class After(BaseModel):
    """What must have come together before an alert is opened: both, where both are written."""

    model_config = STRICT

    runs: int = Field(1, ge=1, le=RUNS_LIMIT, description="so many runs with the problem in a row")
    minutes: int = Field(0, ge=0, le=MINUTES_LIMIT, description="so long since the first of them")

    _written = field_validator("*", mode="before")(_has_a_value)


class Alert(BaseModel):
    """How alerts are kept together, held and repeated."""

    model_config = STRICT

    per: Literal["job", "node", "run"] = Field("job", description="one alert for each of these")
    after: After = Field(After(), description="what must have come together before it opens")
    remind: Duration | None = Field(None, description="say again after so long that it is open")
    auto_close: bool = Field(default=True, description="whether a recovery closes the alert")

    _written = field_validator("*", mode="before")(_has_a_value)

    @field_validator("remind")
    @classmethod
    def _is_neither_spam_nor_never(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and not REMIND_LEAST <= value <= REMIND_MOST:
            raise ValueError("write a duration from 10m to 28d")
        return value

    @model_validator(mode="after")
    def _can_be_reached(self) -> "Alert":
        if self.per == "run" and self.after.runs > 1:
            raise ValueError("`per: run` counts no further runs: leave out `after: {runs: ...}`")
        return self


class Refresh(BaseModel):
    """What becomes of refreshes, and of whatever else is started, after that."""

    model_config = STRICT

    on_failure: Annotated[tuple[str, ...], BeforeValidator(not_empty)] = Field(
        (),
        max_length=HEAR_LIMIT,
        description="names of destinations that hear of one that fails, and of its end",
    )
    timeout: Duration = Field(
        timedelta(hours=6), description="it counts as failed when it takes longer"
    )

    _written = field_validator("*", mode="before")(_has_a_value)

    @field_validator("timeout")
    @classmethod
    def _is_within_a_day(cls, value: timedelta) -> timedelta:
        if not TIMEOUT_LEAST <= value <= TIMEOUT_MOST:
            raise ValueError("write a duration from 5m to 24h")
        return value


def _alert(value: Any) -> Any:
    """`alert: false` tells each run by itself; nothing else stands for no alert."""
    if value is False:
        return None
    if value is None:
        raise ValueError("this is empty; leave the key out, or write false to tell each run")
    return value


class Rule(BaseModel):
    """When a run looks so, then these destinations."""

    model_config = STRICT

    name: Annotated[str, AfterValidator(checked_name)] = Field(
        description="for people and logs; each rule has one of its own",
        json_schema_extra=NAME_SCHEMA,
    )
    when: When = Field(description="what a run must look like")
    alert: Annotated[Alert | None, BeforeValidator(_alert)] = Field(
        Alert(), description="how alerts are kept together; false tells each run by itself"
    )
    refresh: Annotated[Refresh, BeforeValidator(_has_a_value)] = Field(
        Refresh(), description="who hears of a refresh that fails, and when one has failed"
    )
    title: Annotated[str, AfterValidator(checked_title), BeforeValidator(_has_a_value)] = Field(
        "",
        description="stands over what is told, with fields in braces",
        json_schema_extra={"pattern": templates.SCHEMA, "maxLength": TITLE_WRITTEN},
    )
    note: Annotated[str, AfterValidator(checked_note), BeforeValidator(_has_a_value)] = Field(
        "",
        description="stands below, with fields in braces",
        json_schema_extra={"pattern": templates.SCHEMA, "maxLength": NOTE_WRITTEN},
    )
    severity: Annotated[Severity | None, BeforeValidator(_has_a_value)] = Field(
        None, description="how bad it is, whatever the destination says of itself"
    )
    then: Annotated[tuple[str, ...], BeforeValidator(not_empty)] = Field(
        description="names of destinations"
    )

    @property
    def words(self) -> Words:
        return Words(self.title, self.note, self.severity or "")


class Override(BaseModel):
    """What happens in an environment goes to these destinations instead, whatever rules say."""

    model_config = STRICT

    environment: PatternsField = Field(description="names, ids or globs")
    then: Annotated[tuple[str, ...], BeforeValidator(not_empty)] = Field(
        description="names of destinations"
    )

    def matches(self, event: RunEvent) -> bool:
        """Whether the event is certainly of such an environment; else rules stay as they are."""
        return self.environment.match(id=event.environment_id, name=event.environment_name)
