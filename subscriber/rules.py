"""Rules: when an event looks so, then these destinations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from shared.event import RunEvent
from subscriber.patterns import Patterns, PatternsField
from subscriber.run import Outcome

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

RuleOutcome = Literal["failed", "succeeded"]


def not_empty(value: Any) -> Any:
    """`value`, unless it is an empty list; pydantic's own check counts what is valid in it."""
    if value in ([], ()):
        raise ValueError("this list is empty; write at least one")
    return value


def _listed(value: Any) -> Any:
    return not_empty(value) if isinstance(value, list | tuple) else [value]


class When(BaseModel):
    """What an event must look like; what is left out matches everything."""

    model_config = _STRICT

    outcome: Annotated[tuple[RuleOutcome, ...], BeforeValidator(_listed)] = Field(
        description="how the run ended: failed, succeeded, or a list of both"
    )
    account: PatternsField | None = Field(None, description="account ids")
    project: PatternsField | None = Field(None, description="names, ids or globs")
    environment: PatternsField | None = Field(None, description="names, ids or globs")
    job: PatternsField | None = Field(None, description="names, ids or globs")
    trigger: PatternsField | None = Field(
        None, description="what started the run: scheduled, api, ui, ci, merge, ...; `!ci` = not ci"
    )

    @field_validator("account", "project", "environment", "job", "trigger", mode="before")
    @classmethod
    def _is_written(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("this is empty; leave the key out for everything")
        return value

    @field_validator("account")
    @classmethod
    def _is_an_id(cls, value: Patterns | None) -> Patterns | None:
        if value is not None and not all(
            each.removeprefix("!").isdigit() for each in value.written
        ):
            raise ValueError("an account has no name in an event; write its id")
        return value

    def could_match(self, event: RunEvent) -> bool:
        """Whether everything matches that the event itself tells, its outcome left aside."""
        return (
            _fits(self.account, event.account_id)
            and _fits(self.project, event.project_id, event.project_name)
            and _fits(self.environment, event.environment_id, event.environment_name)
            and _fits(self.job, event.job_id, event.job_name)
        )

    def matches(self, event: RunEvent, outcome: Outcome, trigger: str) -> bool:
        """Whether everything matches. `trigger` is empty where it is not known: then all do.

        dbt Cloud's APIs tell the trigger, and an alert goes out though they are down.
        """
        return (
            outcome in self.outcome
            and self.could_match(event)
            and (self.trigger is None or not trigger or self.trigger.match(name=trigger))
        )


def _fits(patterns: Patterns | None, id_: str, name: str = "") -> bool:
    return patterns is None or patterns.match(id=id_, name=name)


class Alert(BaseModel):
    """How alerts are kept together."""

    model_config = _STRICT

    per: Literal["job"] = Field("job", description="one alert for all that fails in a job")


class Rule(BaseModel):
    model_config = _STRICT

    name: str = Field(min_length=1)
    when: When
    alert: Alert = Alert()
    then: Annotated[tuple[str, ...], BeforeValidator(not_empty)] = Field(
        description="names of destinations"
    )


def asked(
    event: RunEvent, outcome: Outcome, trigger: str, rules: Iterable[Rule]
) -> Mapping[str, Sequence[str]]:
    """The destinations that `event` calls for, each with the rules that name it. Pure."""
    by_destination: dict[str, list[str]] = {}
    for rule in rules:
        if rule.when.matches(event, outcome, trigger):
            for destination in rule.then:
                by_destination.setdefault(destination, []).append(rule.name)
    return by_destination
