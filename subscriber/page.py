"""The page: what people read of an action, in order, before a vendor's form is given to it. Pure.

Slack, Teams and e-mail render the same page, so that they say the same in the same words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from subscriber.actions import Action, Message, Node, Verb
from subscriber.cutting import one_line
from subscriber.diagnosis import clean

Pair = tuple[str, str]
"""A label, and what it says."""


class Tone(StrEnum):
    FAILURE = "failure"
    WARNING = "warning"
    GOOD = "good"
    NEUTRAL = "neutral"


@dataclass(frozen=True)
class Item:
    """A node that failed. `title` and `facts` are of one line each, `error` is as dbt said it."""

    title: str
    status: str
    error: str = ""
    facts: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Link:
    title: str
    url: str


@dataclass(frozen=True)
class Page:
    """All of it is plain text, clean but not escaped; empty parts are not shown.

    `label` is one or two words for what is told; `lists` are headings with lines below; `more` says
    how many nodes are not among `items`; `text` may have several lines, as `note` and errors may.
    """

    tone: Tone
    label: str
    headline: str
    note: str = ""
    changes: tuple[Pair, ...] = ()
    items: tuple[Item, ...] = ()
    more: str = ""
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    text: str = ""
    facts: tuple[Pair, ...] = ()
    links: tuple[Link, ...] = ()
    left_out: str = ""


_FACTS = {
    "job": "Job",
    "environment": "Environment",
    "project": "Project",
    "run_id": "Run",
    "trigger": "Triggered by",
    "branch": "Branch",
    "commit": "Commit",
    "status_message": "dbt Cloud says",
    "runs_with_the_problem": "Runs with the problem",
    "open_for": "Open for",
}
_HIDDEN = frozenset({"job_id", "account_id", "where"})  # they stand in the links


def page(action: Action, message: Message | None = None) -> Page:
    """What is to be read of `action`; of `message`, if given, which is a shorter form of its own.

    A link that is no absolute http(s) address is left out.
    """
    told = message or action.message
    links = (
        ("Open the refresh", told.facts.get("where", "")),
        ("Open the run", told.link),
        ("Open the job", told.job_link),
    )
    label = label_of(action.verb, told)
    headline = one_line(clean(told.headline)) or label
    if headline.startswith(f"{label} after "):
        # a reminder: what the label says is not said twice
        headline = f"After{headline.removeprefix(f'{label} after')}"
    return Page(
        tone=_tone(action.verb, told),
        label=label,
        headline=headline,
        note=clean(told.note),
        changes=tuple(_pairs(_changes(told))),
        items=tuple(_item(node) for node in told.nodes),
        more=f"and {told.more_nodes} more" if told.more_nodes else "",
        lists=tuple(
            (title, tuple(one_line(clean(line)) for line in lines))
            for title, lines in (("By cause", told.causes), ("By owner", told.owners))
            if lines
        ),
        text=clean(told.text),
        facts=tuple(_pairs(_facts(told))),
        links=tuple(Link(title, url) for title, url in links if _is_address(url)),
        left_out=told.left_out,
    )


def _tone(verb: Verb, told: Message) -> Tone:
    if verb is Verb.CLOSE:
        return Tone.NEUTRAL if told.outcome == "failed" else Tone.GOOD
    if told.outcome in ("recovered", "succeeded"):
        return Tone.GOOD
    return {"failure": Tone.FAILURE, "warning": Tone.WARNING}.get(told.level, Tone.NEUTRAL)


def label_of(verb: Verb, told: Message) -> str:
    """One or two words for what is told: what has become of the run, or of the alert."""
    is_warning = told.level == "warning"
    match verb:
        case Verb.CLOSE if told.outcome == "failed":
            return "Closed"
        case Verb.CLOSE:
            return "Recovered"
        case Verb.UPDATE:
            return "Still warning" if is_warning else "Still failing"
        case Verb.REMIND:
            return "Still open"
        case _ if told.outcome:
            return told.outcome.capitalize()
        case _ if told.level:
            return "Warned" if is_warning else "Failed"
        case _:
            return "Afterrun"


def _changes(told: Message) -> Iterator[Pair]:
    yield "New", ", ".join(told.new)
    yield "Still failing" if told.level != "warning" else "Still warning", ", ".join(told.still)
    yield "Fixed", ", ".join(told.fixed)


def _facts(told: Message) -> Iterator[Pair]:
    for name, value in told.facts.items():
        if name not in _HIDDEN:
            yield _FACTS.get(name, name.replace("_", " ").capitalize()), value
    yield "Since", to_the_minute(told.since)
    yield "Skipped in all", str(told.skipped) if told.skipped else ""


def _item(node: Node) -> Item:
    facts = (
        ("Path", node.path),
        ("Owner", node.owner),
        ("Group", node.group),
        ("Tags", ", ".join(node.tags)),
        ("Skipped because of it", ", ".join(node.skipped)),
    )
    title = one_line(clean(f"{node.kind} {node.name}")) or one_line(clean(node.unique_id))
    return Item(title, one_line(clean(node.status)), clean(node.message), tuple(_pairs(facts)))


def _pairs(pairs: Iterator[Pair] | tuple[Pair, ...]) -> Iterator[Pair]:
    for label, value in pairs:
        if said := one_line(clean(value)):
            yield one_line(clean(label)), said


def to_the_minute(iso: str) -> str:
    """An ISO time for people: to the minute, in UTC."""
    try:
        return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M} UTC" if iso else ""
    except ValueError:
        return iso


def _is_address(url: str) -> bool:
    return url.startswith(("https://", "http://")) and url.isprintable() and " " not in url
