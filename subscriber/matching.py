"""Matching: which rules a run matches, with which of its nodes, and why the others do not. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.event import RunEvent
from subscriber.configuration import Configuration
from subscriber.destination import Does
from subscriber.diagnosis import Diagnosis, diagnose
from subscriber.rules import PROBLEMS, Rule, said
from subscriber.run import Answer, Level, Outcome


@dataclass(frozen=True)
class Verdict:
    """What a rule makes of a run. `miss` says why it does not match, and is empty if it does.

    `level` is that of the problem it is about; None if the run is no problem to this rule.
    `diagnosis` holds the nodes that the rule lets through, `then` the destinations it names after
    overrides.
    """

    rule: Rule
    then: tuple[str, ...] = ()
    miss: str = ""
    level: Level | None = None
    diagnosis: Diagnosis = field(default_factory=Diagnosis)

    @property
    def matches(self) -> bool:
        return not self.miss


def judged(
    configuration: Configuration,
    rules: Iterable[Rule],
    event: RunEvent,
    ended: Outcome,
    answer: Answer,
) -> list[Verdict]:
    """What each of `rules` makes of the run that `event` tells of, in their order."""
    words = said(ended, warned=answer.warned if ended is Outcome.SUCCEEDED else None)
    level = Level.FAILURE if ended is Outcome.FAILED else Level.WARNING
    whole = diagnose(answer, level) if PROBLEMS & words else Diagnosis()
    trigger = answer.run.trigger if answer.run else ""
    verdicts = []
    for rule in rules:
        matched = words & set(rule.when.outcome)
        if miss := _miss(rule, event, ended, trigger, matched):
            verdicts.append(Verdict(rule, miss=miss))
            continue
        nodes = rule.when.nodes
        is_problem = bool(matched & PROBLEMS)
        known = whole if is_problem else Diagnosis()
        let_through = known.only(nodes.match) if nodes is not None else known
        if nodes is not None and known.is_known and not let_through.is_known:
            verdicts.append(Verdict(rule, miss="none of the nodes it is about"))
            continue
        then = destinations(configuration, event, rule)
        verdicts.append(
            Verdict(rule, then, level=level if is_problem else None, diagnosis=let_through)
        )
    return verdicts


def _miss(rule: Rule, event: RunEvent, ended: Outcome, trigger: str, matched: object) -> str:
    if missed := rule.when.missed(event):
        return missed
    if not matched:
        if ended is Outcome.SUCCEEDED and {"warned", "clean"} & set(rule.when.outcome):
            return "it is not known, or not so, that the run warned or was clean"
        return f"the run {ended}"
    if rule.when.missed_trigger(trigger):
        return f"another trigger ({trigger})"
    return ""


def destinations(configuration: Configuration, event: RunEvent, rule: Rule) -> tuple[str, ...]:
    """The destinations of `rule` for this event, those that an override puts in their place.

    What tells people is replaced by what tells people, what refreshes by what refreshes.
    """
    instead = next(
        (each.then for each in configuration.overrides if each.matches(event)),
        None,
    )
    if instead is None:
        return rule.then
    wanted = {_refreshes(configuration, name) for name in rule.then}
    return tuple(name for name in instead if _refreshes(configuration, name) in wanted)


def _refreshes(configuration: Configuration, name: str) -> bool:
    return configuration.destinations[name].does is Does.REFRESH


def said_by(verdicts: Sequence[Verdict]) -> Mapping[str, str]:
    """For each rule, for people: that it matched, or why it did not."""
    return {each.rule.name: each.miss or "matched" for each in verdicts}
