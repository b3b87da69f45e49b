"""Wording: the words of rules, put over what is told when that is otherwise finished. Pure."""

from dataclasses import replace

from subscriber import templates
from subscriber.actions import Message, Verb
from subscriber.diagnosis import telling_line
from subscriber.episodes import Episode
from subscriber.message import names_of, said_first
from subscriber.page import label_of, to_the_minute
from subscriber.run import node_name
from subscriber.words import Words

_LATER = (Verb.UPDATE, Verb.REMIND, Verb.CLOSE)
_FACTS = (
    *("account_id", "project", "environment", "job_id", "run_id"),
    *("trigger", "branch", "commit", "open_for"),
)


def worded(told: Message, verb: Verb, words: Words, episode: Episode | None = None) -> Message:
    """`told`, which has no words of a rule yet, with `words`; of `episode`, where it is of one.

    The headline stays where there is no title, or where nothing of what it asks for is known.
    """
    values = _values(told, verb, episode)
    title = templates.title(words.title, values, _before(told, verb, words.title))
    return replace(
        told,
        headline=title or told.headline,
        untitled=told.headline if title else "",
        note=templates.note(words.note, values),
        severity=words.severity,
    )


def plain(told: Message) -> Message:
    """`told` without the words of a rule, to make what is told next."""
    headline = told.untitled or told.headline
    return replace(told, headline=headline, untitled="", note="", severity="")


def _before(told: Message, verb: Verb, title: str) -> str:
    """What a title begins with that does not say itself what has become of the alert.

    So that nobody reads the end of a problem, or one that lasts, as a new one.
    """
    label = label_of(verb, told)
    says_it = {"state", "headline"}
    if told.outcome == label.lower():
        says_it.add("outcome")
    return f"{label}: " if verb in _LATER and not says_it & templates.fields(title) else ""


def _values(told: Message, verb: Verb, episode: Episode | None) -> dict[str, str]:
    """What is known for each field; empty for what is not."""
    nodes, more = _nodes(told, verb, episode)
    first = next((node for node in told.nodes if node.unique_id in nodes), None)
    facts = told.facts
    return {name: facts.get(name, "") for name in _FACTS} | {
        "job": facts.get("job") or f"dbt job {facts.get('job_id', '')}",
        "outcome": told.outcome,
        "state": label_of(verb, told).lower(),
        "headline": told.headline,
        "node": first.name if first else node_name(nodes[0]) if nodes else "",
        "nodes": names_of(nodes, more) if nodes else "",
        "error": telling_line(first.message) if first else said_first(told.text),
        "owner": first.owner if first else "",
        "since": to_the_minute(told.since),
        "link": told.link,
        "job_link": told.job_link,
    }


def _nodes(told: Message, verb: Verb, episode: Episode | None) -> tuple[list[str], int]:
    """The nodes that it is about, and how many more: those of the run, those of it first where an
    episode has others too, or those of the episode where it is over.
    """
    of_run = [node.unique_id for node in told.nodes]
    if episode is None or not episode.nodes or (of_run and verb is Verb.OPEN):
        return of_run, told.more_nodes
    first = dict.fromkeys(node for node in of_run if node in episode.nodes)
    return list(first | dict.fromkeys(episode.nodes)), episode.more_nodes
