"""Misses: all that keeps a rule from matching a run: what it asks for, and what is so. Pure."""

from collections.abc import Iterator, Sequence

from shared.event import RunEvent
from subscriber.diagnosis import Cause, diagnose
from subscriber.matching import Verdict
from subscriber.patterns import NAME, Patterns
from subscriber.rules import Nodes, When, said
from subscriber.run import Answer, Level, Outcome, Result

NODES_SHOWN = 3


def misses(verdict: Verdict, event: RunEvent, ended: Outcome, answer: Answer) -> list[str]:
    """For people, one line for each reason; empty for a rule that matches."""
    if verdict.matches:
        return []
    when = verdict.rule.when
    found = list(_misses(when, event, ended, answer))
    if not found and when.nodes is not None:
        level = Level.FAILURE if ended is Outcome.FAILED else Level.WARNING
        found = list(_of_nodes(when.nodes, diagnose(answer, level).causes))
    return found or [verdict.miss]


def _misses(when: When, event: RunEvent, ended: Outcome, answer: Answer) -> Iterator[str]:
    words = said(ended, warned=answer.warned if ended is Outcome.SUCCEEDED else None)
    if not words & set(when.outcome):
        yield f"the run {_ended(ended, answer)}; the rule asks for {_or(when.outcome)}"
    kind = event.type.removeprefix("job.run.")
    if when.event is not None and kind not in when.event:
        yield f"the event is `{kind}`; the rule asks for {_or(when.event)}"
    for what, patterns, id_, name in (
        ("account", when.account, event.account_id, ""),
        ("project", when.project, event.project_id, event.project_name),
        ("environment", when.environment, event.environment_id, event.environment_name),
        ("job", when.job, event.job_id, event.job_name),
    ):
        if patterns is not None and not patterns.may_match(id=id_, name=name):
            shown = f"{name} ({id_})" if name and id_ else name or id_
            yield f"the {what} is {shown}; the rule asks for {_asked(patterns)}"
    trigger = answer.run.trigger if answer.run else ""
    if when.trigger is not None and when.missed_trigger(trigger):
        yield f"the trigger is {trigger}; the rule asks for {_asked(when.trigger)}"


def _of_nodes(nodes: Nodes, causes: Sequence[Cause]) -> Iterator[str]:
    """For the first nodes with a problem, what keeps each from being one of the rule's."""
    for cause in causes[:NODES_SHOWN]:
        reason = next(_of_node(nodes, cause.result), "")
        yield f"{cause.result.kind} {cause.result.name}: {reason}"
    if (more := len(causes) - NODES_SHOWN) > 0:
        yield f"and {more} more nodes that it is not about"


def _of_node(nodes: Nodes, node: Result) -> Iterator[str]:
    owners = [owner for owner in (node.owner, node.owner_email) if owner]
    for what, patterns, has, names in (
        ("kind", nodes.kind, node.kind, [node.kind]),
        ("name", nodes.name, node.name, [node.name, node.unique_id]),
        ("path", nodes.path, node.path, [node.path]),
        ("tag", nodes.tag, ", ".join(node.tags), node.tags),
        ("group", nodes.group, node.group, [node.group]),
        ("owner", nodes.owner, node.owner or node.owner_email, owners),
    ):
        if patterns is not None and not patterns.match_any(names):
            yield f"its {what} is {has or 'none'}; the rule asks for {_asked(patterns)}"


def _asked(patterns: Patterns) -> str:
    wanted = _or([each.removeprefix(NAME) for each in patterns.wanted])
    unwanted = f"not {_or(patterns.unwanted)}" if patterns.unwanted else ""
    return ", ".join(filter(None, [wanted, unwanted]))


def _ended(ended: Outcome, answer: Answer) -> str:
    match ended:
        case Outcome.CANCELLED:
            return "was cancelled"
        case Outcome.UNKNOWN:
            return "ended in a way that is not known"
        case Outcome.SUCCEEDED if answer.warned is None:
            return "succeeded, and whether it warned is not known"
        case Outcome.SUCCEEDED:
            return "succeeded with a warning" if answer.warned else "succeeded without a warning"
        case _:
            return str(ended)


def _or(words: Sequence[str]) -> str:
    return " or ".join(words)
