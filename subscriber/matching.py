"""Matching: which rules a run matches, with which of its nodes, and why the others do not. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.event import RunEvent
from subscriber.configuration import Configuration
from subscriber.destination import Does
from subscriber.diagnosis import Diagnosis, diagnose
from subscriber.rules import PROBLEMS, Override, Rule, RuleOutcome, said
from subscriber.run import Answer, Level, Outcome


@dataclass(frozen=True)
class Verdict:
    """What a rule makes of a run. `miss` says why it does not match, and is empty if it does.

    `level` is that of the problem it is about; None if the run is no problem to this rule.
    `diagnosis` holds the nodes that the rule lets through, `then` the destinations it names after
    overrides; `left_out` says what an override has left of them, empty where none applies.
    With `is_guess`, those nodes match because they could not be looked up, though others could.
    """

    rule: Rule
    then: tuple[str, ...] = ()
    miss: str = ""
    level: Level | None = None
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    left_out: str = ""
    is_guess: bool = False

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
        if miss := _missed(rule, event, ended, trigger, matched):
            verdicts.append(Verdict(rule, miss=miss))
            continue
        is_problem = bool(matched & PROBLEMS)
        let_through = _let_through(rule, whole, level, answer) if is_problem else Diagnosis()
        if let_through is None:
            verdicts.append(Verdict(rule, miss="none of the nodes it is about"))
            continue
        then, left_out = _destinations(configuration, event, rule, is_problem=is_problem)
        verdicts.append(
            Verdict(
                rule,
                then,
                level=level if is_problem else None,
                diagnosis=let_through,
                left_out=left_out,
                is_guess=is_problem and _is_guess(rule, let_through, whole),
            )
        )
    return verdicts


def _missed(
    rule: Rule, event: RunEvent, ended: Outcome, trigger: str, matched: Collection[RuleOutcome]
) -> str:
    if missed := rule.when.missed(event):
        return missed
    if not matched:
        if ended is Outcome.SUCCEEDED and {"warned", "clean"} & set(rule.when.outcome):
            return "it is not known, or not so, that the run warned or was clean"
        return f"the run {_ended(ended)}"
    if rule.when.missed_trigger(trigger):
        return f"another trigger ({trigger})"
    return ""


def _ended(ended: Outcome) -> str:
    match ended:
        case Outcome.CANCELLED:
            return "was cancelled"
        case Outcome.UNKNOWN:
            return "ended in a way that is not known"
        case _:
            return str(ended)


def _let_through(rule: Rule, whole: Diagnosis, level: Level, answer: Answer) -> Diagnosis | None:
    """What of the diagnosis the rule is about; None if it is certainly about nothing of it.

    Where a run failed and it is not known at which nodes, it may be at those of the rule; so too
    where a step failed that none of the known nodes explains. Nodes that could not be looked up
    are let through where none is certain to be one of the rule's; else a note counts them.
    """
    nodes = rule.when.nodes
    if nodes is None:
        return whole
    if not whole.is_known:
        is_certain = level is Level.WARNING and answer.is_complete
        return None if is_certain else whole
    found = whole.only(nodes.match)
    certain = found.only(nodes.can_tell)
    if certain.is_known and (left := len(found.causes) - len(certain.causes)):
        note = f"{left} more failed or warned that could not be looked up: they may belong here"
        return replace(certain, notes=(*certain.notes, note))
    if found.is_known:
        return found
    if level is Level.FAILURE and whole.text:
        return Diagnosis(text=whole.text, notes=whole.notes)
    return None


def _is_guess(rule: Rule, let_through: Diagnosis, whole: Diagnosis) -> bool:
    nodes, causes = rule.when.nodes, let_through.causes
    if nodes is None or not causes or any(nodes.can_tell(cause.result) for cause in causes):
        return False
    return any(cause.result.is_described for cause in whole.causes)


def _destinations(
    configuration: Configuration, event: RunEvent, rule: Rule, *, is_problem: bool
) -> tuple[tuple[str, ...], str]:
    """The destinations of `rule` for this event, each once, and what an override leaves of them.

    What tells people is replaced by what tells people, what refreshes by what refreshes, what
    triggers by what triggers.
    """
    override = overriding(configuration, event)
    if override is None:
        return tuple(dict.fromkeys(rule.then)), ""
    # who opens and closes alerts can do nothing with what is only told
    is_alerted = is_problem and rule.alert is not None
    asked = {_started(configuration, name) for name in rule.then}
    then = tuple(
        name
        for name in dict.fromkeys(override.then)
        if _started(configuration, name) in asked
        and (is_alerted or configuration.destinations[name].does is not Does.ALERT)
    )
    served = {_started(configuration, name) for name in then}
    lost = [_WITHOUT[starts] for starts in sorted(asked - served)]
    return then, f"its override has no destination {' nor one '.join(lost)}" if lost else ""


def overriding(configuration: Configuration, event: RunEvent) -> Override | None:
    """What sends all that happens in this event's environment elsewhere, if anything does."""
    return next((each for each in configuration.overrides if each.matches(event)), None)


_WITHOUT = {"": "that can be told of it", "refresh": "that refreshes", "trigger": "that triggers"}


def _started(configuration: Configuration, name: str) -> str:
    """What kind of thing it starts; empty if it starts none and tells somebody."""
    does = configuration.destinations[name].does
    return str(does) if does.starts else ""


def said_by(verdicts: Sequence[Verdict]) -> Mapping[str, str]:
    """For each rule, for people: that it matched, or why it did not or does nothing."""
    return {each.rule.name: each.miss or _matched(each) for each in verdicts}


def _matched(verdict: Verdict) -> str:
    return f"matched, but {verdict.left_out}" if verdict.left_out else "matched"
