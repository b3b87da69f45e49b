"""Messages: what is told about a run, in no vendor's words and bounded in size."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from shared.event import RunEvent
from subscriber.actions import Message, Node
from subscriber.diagnosis import Cause, Diagnosis, clean, groups
from subscriber.digests import Digest
from subscriber.durations import said
from subscriber.episodes import Change, Episode
from subscriber.run import Answer, Level, Outcome, Result, node_name
from subscriber.shortening import ERRORS_CUT, left_out

# of a message as the ledger keeps it, JSON in ASCII: a decision may hold a dozen of them
SIZE_LIMIT_BYTES = 300_000
HEADLINE_NODES = 5
NAMES_LIMIT = 50  # of nodes that are new, still bad or fixed
GROUPS_LIMIT = 10
TEXT_LIMIT = 20_000  # characters of one error, or of the end of a log
_LINE_LIMIT = 300
_WORD_LIMIT = 100

_OPEN_FOR = "open_for"  # the fact
_NOT_ALL = "Not all is known: "
_REMINDED = re.compile(r"^Still open after [^:]*: ")


@dataclass(frozen=True)
class _Detail:
    """How much is told of one run; the rest is counted."""

    nodes: int
    text: int
    """Characters of each node's error."""
    skipped: int
    """Names of skipped nodes with each node."""


_DETAILS = (
    _Detail(nodes=100, text=TEXT_LIMIT, skipped=20),
    _Detail(nodes=100, text=4_000, skipped=20),
    _Detail(nodes=100, text=1_000, skipped=5),
    _Detail(nodes=50, text=300, skipped=0),
    _Detail(nodes=10, text=300, skipped=0),
)
NODES_LIMIT = _DETAILS[0].nodes


def problem(
    event: RunEvent, answer: Answer, diagnosis: Diagnosis, link: str, level: Level
) -> Message:
    """What is told of a run with a problem: the nodes, or else why they are not known. Pure.

    In as much detail as fits SIZE_LIMIT_BYTES.
    """
    verb = "failed" if level is Level.FAILURE else "warned"
    bare = Message(
        headline=f"{_job(event)} {verb}{_in(event)}: {_what(diagnosis)}",
        source=_source(event),
        text=_text(diagnosis),
        skipped=diagnosis.skipped,
        link=link,
        facts=_facts(event, answer),
        level=level,
        outcome=verb,
        severities=_severities(diagnosis),
        causes=_grouped(diagnosis, "cause"),
        owners=_grouped(diagnosis, "owner"),
    )
    detailed = (_detailed(bare, diagnosis.causes, detail) for detail in _DETAILS)
    fitting = (told for told in detailed if len(json.dumps(asdict(told))) <= SIZE_LIMIT_BYTES)
    return next(fitting, replace(bare, more_nodes=len(diagnosis.causes)))


def updated(told: Message, event: RunEvent, episode: Episode, change: Change) -> Message:
    """`told`, what is the problem now, with what has changed since it was told last. Pure."""
    counts = (
        (change.new, "new", 0),
        (change.still, "still", episode.more_nodes),
        (change.fixed, "fixed", 0),
    )
    parts = [
        f"{len(nodes) + more} {word} ({names_of(nodes, more)})"
        for nodes, word, more in counts
        if nodes
    ]
    verb = "fails" if episode.level is Level.FAILURE else "warns"
    what = ", ".join(parts) if change.new or change.fixed else told.headline.partition(": ")[2]
    return replace(
        told,
        headline=f"{_job(event)} still {verb}{_in(event)}: {what}",
        facts=told.facts | _open_for(event, episode),
        since=episode.since.isoformat(),
        new=_listed(change.new),
        still=_listed(change.still),
        fixed=_listed(change.fixed),
    )


def partly_recovered(told: Message, episode: Episode, change: Change) -> Message:
    """`told`, of a recovery, where some of the episode's nodes are bad still. Pure."""
    still, fixed = len(change.still) + episode.more_nodes, len(change.fixed)
    parts = [f"{fixed} fixed ({names_of(change.fixed)})", f"{still} still bad"]
    names = f" ({names_of(change.still)})" if change.still else ""
    return replace(
        told,
        headline=", ".join(parts) + names,
        outcome="failed" if episode.level is Level.FAILURE else "warned",
        since=episode.since.isoformat(),
        still=_listed(change.still),
        fixed=_listed(change.fixed),
    )


def left_of(former: Message, told: Message, episode: Episode) -> Message:
    """`told`, that some nodes recovered, with what was told before of those that did not. Pure.

    It is about the run in which they were bad, not about the one that proved the others good.
    """
    job = former.facts.get("job") or former.source
    environment = former.facts.get("environment")
    place = f"{job} in {environment}" if environment else job
    by = ", ".join(told.facts[name] for name in ("job", "run_id") if name in told.facts)
    return replace(
        former,
        headline=f"{place}: {told.headline}",
        text="\n".join(filter(None, [f"Fixed by {by}", told.text])),
        nodes=tuple(node for node in former.nodes if node.unique_id in episode.nodes),
        more_nodes=episode.more_nodes,
        facts=former.facts | {k: v for k, v in told.facts.items() if k == _OPEN_FOR},
        since=told.since,
        new=(),
        still=told.still,
        fixed=told.fixed,
        causes=(),
        owners=(),
    )


def others_failed(told: Message, event: RunEvent, reason: str) -> Message:
    """`told` as the end of a problem that turned out to be another one. Pure."""
    headline = f"{_job(event)} failed{_in(event)}: {reason}"
    return replace(told, headline=headline, outcome="failed")


def overtaken(told: Message, reason: str) -> Message:
    """`told` of a problem as the end of an alert that something newer has overtaken. Pure."""
    return replace(told, text=reason, nodes=(), outcome="failed", causes=(), owners=())


def reminded(told: Message, episode: Episode, now: datetime) -> Message:
    """What was told last, said again because it is still open. Pure."""
    runs = f", {episode.runs} runs" if episode.runs > 1 else ""
    headline = _REMINDED.sub("", told.headline)
    open_for = said(now - episode.since)
    return replace(
        told,
        headline=f"Still open after {open_for}{runs}: {headline}",
        facts=told.facts | {_OPEN_FOR: open_for},
        since=episode.since.isoformat(),
        new=(),
        still=(),
        fixed=(),
    )


def recovered(event: RunEvent, link: str, episode: Episode, subject: str, reason: str) -> Message:
    """What is told when a problem is over. Pure."""
    what, _, unique_id = subject.partition("/")
    name = f"{_job(event)}: {node_name(unique_id)}" if what == "node" else _job(event)
    return Message(
        headline=f"{name} recovered{_in(event)}",
        source=_source(event),
        text=reason,
        link=link,
        facts=_facts(event, Answer())
        | {"runs_with_the_problem": str(episode.runs)}
        | _open_for(event, episode),
        level=episode.level,
        outcome="recovered",
        since=episode.since.isoformat(),
        fixed=_listed(tuple(episode.nodes)),
    )


def of_nodes_left(told: Message, episode: Episode) -> Message:
    """`told`, which was held back, without the nodes that have recovered meanwhile. Pure."""
    if episode.more_nodes:
        return told
    gone = [node.unique_id for node in told.nodes if node.unique_id not in episode.nodes]
    if not gone:
        return told
    return replace(
        told,
        headline=f"{told.headline} (recovered since: {names_of(gone)})",
        nodes=tuple(node for node in told.nodes if node.unique_id in episode.nodes),
        fixed=_listed((*told.fixed, *gone)),
    )


def unknown(event: RunEvent, episode: Episode) -> Message:
    """What is told of a problem when nothing but the episode is left of it. Pure."""
    verb = "failed" if episode.level is Level.FAILURE else "warned"
    names = f": {names_of(tuple(episode.nodes))}" if episode.nodes else ""
    return Message(
        headline=f"{_job(event)} {verb}{_in(event)}{names}",
        source=_source(event),
        facts=_facts(event, Answer()),
        level=episode.level,
        outcome=verb,
        since=episode.since.isoformat(),
    )


def ended(event: RunEvent, outcome: Outcome, answer: Answer, link: str) -> Message:
    """That a run started, succeeded or was cancelled; also why a dashboard is refreshed. Pure."""
    verb = "was cancelled" if outcome is Outcome.CANCELLED else str(outcome)
    return Message(
        headline=f"{_job(event)} {verb}{_in(event)}",
        source=_source(event),
        link=link,
        facts=_facts(event, answer),
        level="",
        outcome=str(outcome),
    )


def refresh_failed(told: Message, name: str, reason: str, url: str) -> Message:
    """That the refresh `name` did not end well; `told` is why it was started. Pure."""
    longer = _shortened(reason, TEXT_LIMIT) if len(reason) > _LINE_LIMIT else ""
    return replace(
        _of_refresh(told, name, url),
        headline=f"The refresh of {name} failed: {_shortened(reason, _LINE_LIMIT)}",
        text="\n".join(filter(None, [longer, f"What {name} shows may be older than the run."])),
        level=Level.FAILURE,
        outcome="failed",
    )


def refresh_recovered(told: Message, name: str, url: str) -> Message:
    """That the refresh `name` is good again. Pure."""
    return replace(
        _of_refresh(told, name, url),
        headline=f"The refresh of {name} recovered",
        text="",
        level=Level.FAILURE,
        outcome="recovered",
    )


def _of_refresh(told: Message, name: str, url: str) -> Message:
    facts = told.facts | {"refresh": name} | ({"where": url} if url else {})
    return replace(told, source=f"{told.source} / {name}", facts=facts, nodes=(), more_nodes=0)


def digest(gathered: Digest) -> Message:
    """What was not told one by one, in one line and a list. Pure."""
    first = _shortened(gathered.lines[0] if gathered.lines else "", _LINE_LIMIT)
    more = f" and {gathered.count - 1} more" if gathered.count > 1 else ""
    rest = gathered.count - len(gathered.lines)
    lines = [*map(clean, gathered.lines), *([f"and {rest} more"] if rest > 0 else [])]
    return Message(
        headline=f"{gathered.title}: {first}{more}",
        source="Afterrun",
        text="\n".join(lines),
        level="",
        outcome="digest",
    )


def _grouped(diagnosis: Diagnosis, by: Literal["cause", "owner"]) -> tuple[str, ...]:
    """A line for each group of nodes, where there are fewer groups than nodes."""
    found = groups(diagnosis.causes, by)
    if len(diagnosis.causes) < 2 or (by == "cause" and len(found) == len(diagnosis.causes)):
        return ()
    lines = [
        f"{_shortened(group.title, _LINE_LIMIT)}: {len(group.causes)} of {len(diagnosis.causes)}"
        f" ({names_of([cause.result.unique_id for cause in group.causes])})"
        for group in found[:GROUPS_LIMIT]
    ]
    more = len(found) - len(lines)
    return (*lines, f"and {more} more") if more else tuple(lines)


def names_of(nodes: Sequence[str], unnamed: int = 0) -> str:
    """The names of the first `nodes`, by unique id, and how many there are beside them."""
    names = ", ".join(_shortened(node_name(node), _WORD_LIMIT) for node in nodes[:HEADLINE_NODES])
    more = max(len(nodes) - HEADLINE_NODES, 0) + unnamed
    return f"{names} and {more} more" if more > 0 else names


def _listed(nodes: Sequence[str]) -> tuple[str, ...]:
    names = tuple(_shortened(node_name(node), _WORD_LIMIT) for node in nodes[:NAMES_LIMIT])
    more = len(nodes) - len(names)
    return (*names, f"and {more} more") if more else names


def _detailed(bare: Message, causes: Sequence[Cause], detail: _Detail) -> Message:
    shown = causes[: detail.nodes]
    nodes = tuple(_node(cause, detail) for cause in shown)
    is_cut = any(len(cause.message) > detail.text for cause in shown)
    return replace(
        bare,
        nodes=nodes,
        more_nodes=len(causes) - len(shown),
        left_out=left_out(bare, [ERRORS_CUT]) if is_cut else "",
    )


def _job(event: RunEvent) -> str:
    return _shortened(" ".join(event.job_name.split()), _LINE_LIMIT) or f"dbt job {event.job_id}"


def _in(event: RunEvent) -> str:
    environment = _shortened(event.environment_name, _LINE_LIMIT)
    return f" in {environment}" if environment else ""


def _source(event: RunEvent) -> str:
    names = (event.project_name, event.environment_name, _job(event))
    return " / ".join(_shortened(name, _LINE_LIMIT) for name in names if name)


def _what(diagnosis: Diagnosis) -> str:
    causes = diagnosis.causes
    if not causes:
        return said_first(diagnosis.text) or "the failed nodes are not known"
    if len(causes) == 1:
        cause = causes[0]
        named = _shortened(f"{cause.result.kind} {cause.result.name}", _LINE_LIMIT)
        return f"{named}{_colon(_shortened(cause.line, _LINE_LIMIT))}{_skipped(diagnosis)}"
    names = names_of([cause.result.unique_id for cause in causes])
    return f"{len(causes)} nodes ({names}){_skipped(diagnosis)}"


def said_first(log: str) -> str:
    """What a failed step's log says first; dbt puts the kind of error on a line of its own."""
    lines = [line.strip() for line in log.split("\n") if not line.startswith(_NOT_ALL)]
    lines = [line for line in lines[1:] if not line.endswith("error:")]
    if len(lines) > 1 and lines[0].endswith("Error"):
        return _shortened(f"{lines[0]}: {lines[1]}", _LINE_LIMIT)
    return _shortened(lines[0], _LINE_LIMIT) if lines else ""


def _colon(text: str) -> str:
    return f": {text}" if text else ""


def _skipped(diagnosis: Diagnosis) -> str:
    return f" ({diagnosis.skipped} skipped)" if diagnosis.skipped else ""


def _text(diagnosis: Diagnosis) -> str:
    said = _shortened(diagnosis.text, TEXT_LIMIT)
    missing = [f"{_NOT_ALL}{_shortened(note, _LINE_LIMIT)}." for note in diagnosis.notes]
    return "\n".join(filter(None, [said, *missing]))


def _node(cause: Cause, detail: _Detail) -> Node:
    result = cause.result
    skipped = [_shortened(name, _WORD_LIMIT) for name in cause.skipped[: detail.skipped]]
    if more := len(cause.skipped) - len(skipped):
        skipped.append(f"and {more} more" if skipped else f"{more} nodes")
    return Node(
        unique_id=_shortened(result.unique_id, _LINE_LIMIT),
        name=_shortened(result.name, _LINE_LIMIT),
        kind=_shortened(result.kind, _WORD_LIMIT),
        status=_shortened(result.said, _WORD_LIMIT),
        message=_shortened(cause.message, detail.text),
        path=_shortened(cause.path, _LINE_LIMIT),
        group=_shortened(result.group, _WORD_LIMIT),
        owner=_shortened(_owner(result), _WORD_LIMIT),
        severity=result.severity,
        tags=tuple(_shortened(tag, _WORD_LIMIT) for tag in result.tags[:10]),
        skipped=tuple(skipped),
    )


def _severities(diagnosis: Diagnosis) -> tuple[str, ...]:
    """What the nodes say of their severity, each once, where any of them says something."""
    said = dict.fromkeys(cause.result.severity for cause in diagnosis.causes)
    return tuple(sorted(said)) if any(said) else ()


def _owner(result: Result) -> str:
    """Whose it is, with how to write to them where both are known."""
    if result.owner and result.owner_email:
        return f"{result.owner} <{result.owner_email}>"
    return result.owner or result.owner_email


def _facts(event: RunEvent, answer: Answer) -> dict[str, str]:
    run = answer.run
    facts = {
        "job": event.job_name,
        "job_id": event.job_id,
        "run_id": event.run_id,
        "environment": event.environment_name,
        "project": event.project_name,
        "account_id": event.account_id,
        "trigger": run.trigger if run else "",
        "branch": run.git_branch if run else "",
        "commit": run.git_sha if run else "",
        "status_message": run.status_message if run else event.status_message,
    }
    return {name: _shortened(value, _LINE_LIMIT) for name, value in facts.items() if value}


def _open_for(event: RunEvent, episode: Episode) -> dict[str, str]:
    at = event.finished_at or event.occurred_at
    return {_OPEN_FOR: said(at - episode.since)} if at else {}


def _shortened(text: str, limit: int) -> str:
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
