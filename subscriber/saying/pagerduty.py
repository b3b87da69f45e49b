"""PagerDuty: an action as the fields of an event, readable in its tables and usable in its rules.

PagerDuty shows details as a table of names and values, in which a text reads better than a list:
only the failed nodes are a list, of objects whose values are texts. Pure.

Source: https://developer.pagerduty.com/docs/send-alert-event
"""

from collections.abc import Iterator
from typing import Any

from subscriber.actions import Action, Message, Node
from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean
from subscriber.page import page
from subscriber.run import SEVERITIES

SUMMARY_LIMIT = 1024  # characters; PagerDuty refuses longer ones
FIELD_LIMIT = 255  # characters; of what rules compare and lists show. PagerDuty says no number


def about(action: Action) -> dict[str, Any]:
    """What alerts and changes have in common: their payload but for the details."""
    message, kind = action.message, what(action.message)
    article = "An" if kind.startswith("a") else "A"
    return {
        "summary": cut(_line(message.headline) or f"{article} {kind}", SUMMARY_LIMIT),
        "source": cut(_line(message.source) or "dbt Cloud", SUMMARY_LIMIT),
        "timestamp": action.occurred_at.isoformat(),
    }


def to_rules(message: Message) -> dict[str, str]:
    """The fields by which rules route and group alerts; those that say nothing are left out."""
    place = (_line(message.facts.get(name, "")) for name in ("project", "environment"))
    fields = {
        "component": _line(message.facts.get("job", "")),
        "group": " / ".join(filter(None, place)),
        "class": what(message),
    }
    return {name: cut(said, FIELD_LIMIT) for name, said in fields.items() if said}


def what(message: Message) -> str:
    """What kind of thing is told: of a problem how bad it is, else how the run ended.

    An open alert of which a part has recovered is classed as what it still is.
    """
    subject = "refresh" if "refresh" in message.facts else "dbt run"
    if message.level:
        return f"{subject} {'warned' if message.level == 'warning' else 'failed'}"
    if message.outcome == "digest":
        return "afterrun digest"
    return f"{subject} {_line(message.outcome)}".strip()


def severity(message: Message, by_default: str) -> str:
    """The most urgent of what its nodes say; where they say nothing, the rule, then the default.

    What neither node nor rule calls urgent is milder if it is a warning: `warning` at the most.
    """
    own = message.severity or by_default
    if message.level == "warning" and not message.severity:
        own = min(own, "warning", key=SEVERITIES.index)
    said = (each if each in SEVERITIES else own for each in message.severities or (own,))
    return max(said, key=SEVERITIES.index)


def links(action: Action, message: Message) -> list[dict[str, str]]:
    """A refresh, the run and the job, as far as their addresses are known, in this order."""
    # of a whole page, each text would be looked at once more, which takes time where it is large
    where = {"where": message.facts["where"]} if "where" in message.facts else {}
    linking = Message("", "", link=message.link, job_link=message.job_link, facts=where)
    return [{"href": link.url, "text": link.title} for link in page(action, linking).links]


def details(action: Action, message: Message) -> dict[str, Any]:
    """All that is known, by name; what says nothing is left out."""
    told = {name: value for name, value in _happened(action, message) if value}
    for name, value in message.facts.items():
        if said := _line(value):
            told.setdefault(_line(name), said)
    return told | ({"left_out": message.left_out} if message.left_out else {})


def _happened(action: Action, message: Message) -> Iterator[tuple[str, Any]]:
    yield "note", clean(message.note)
    yield "new", _listed(message.new)
    yield "still_failing", _listed(message.still)
    yield "fixed", _listed(message.fixed)
    yield "by_cause", "\n".join(map(_line, message.causes))
    yield "by_owner", "\n".join(map(_line, message.owners))
    yield "text", clean(message.text)
    yield "failed", [_node(node) for node in message.nodes]
    yield "failed_more", f"and {message.more_nodes} more" if message.more_nodes else ""
    yield "skipped", message.skipped
    yield "owner", cut(_line(action.owner), FIELD_LIMIT)
    yield "since", message.since


def _node(node: Node) -> dict[str, str]:
    told = {
        "name": _line(node.name),
        "kind": _line(node.kind),
        "status": _line(node.status),
        "error": clean(node.message),
        "path": _line(node.path),
        "owner": _line(node.owner),
        "group": _line(node.group),
        "severity": node.severity,
        "tags": _listed(node.tags),
        "skipped_because_of_it": _listed(node.skipped),
        "unique_id": _line(node.unique_id),
    }
    return {name: value for name, value in told.items() if value}


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(_line, names))


def _line(text: str) -> str:
    return one_line(clean(text))
