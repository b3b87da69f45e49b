"""The event: what a webhook tells of an action, as JSON for programs. Pure.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC
from typing import Any
from urllib.parse import quote

from subscriber.actions import Action, Message, Node, Verb
from subscriber.cutting import cut
from subscriber.diagnosis import clean
from subscriber.standard_webhooks import message_id

NAME_LIMIT = 200  # characters of what is not shortened with the rest

DIGEST = "afterrun.digest"
OF_RUNS = "dbt.run"
OF_REFRESHES = "afterrun.refresh"
OUTCOMES = ("failed", "warned", "recovered", "started", "succeeded", "cancelled")

_OF_VERB = {Verb.UPDATE: "updated", Verb.REMIND: "reminded"}
_OF_LEVEL = {"failure": "failed", "warning": "warned"}


def event_type(action: Action) -> str:
    """What happened, in dotted words: the table `type` of the page."""
    about = OF_REFRESHES if "refresh" in action.message.facts else OF_RUNS
    happened = _happened(action)
    return f"{about}.{happened}" if happened else DIGEST


def _happened(action: Action) -> str:
    message = action.message
    if action.verb in _OF_VERB:
        return _OF_VERB[action.verb]
    if action.verb is Verb.CLOSE:
        return "closed" if message.outcome == "failed" else "recovered"
    if message.outcome in OUTCOMES:
        return message.outcome
    return _OF_LEVEL.get(message.level, "")


def event(action: Action, message: Message) -> dict[str, Any]:
    """What is told of `action` as Standard Webhooks has it.

    `message` is the action's own, or a shorter form of it.
    """
    return {
        "type": event_type(action),
        "timestamp": _at(action),
        "data": _data(action, message),
    }


def cloud_event(action: Action, message: Message, event_id: str) -> dict[str, Any]:
    """The same as a CloudEvent. `source` and `id` together name it."""
    facts = action.message.facts
    told = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/afterrun" + _path(("accounts", facts.get("account_id", ""))),
        "type": event_type(action),
        "time": _at(action),
        "subject": _path(("jobs", facts.get("job_id", "")), ("runs", facts.get("run_id", "")))[1:],
        "datacontenttype": "application/json",
        "data": _data(action, message),
    }
    return {name: value for name, value in told.items() if value}


def _at(action: Action) -> str:
    return action.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _path(*parts: tuple[str, str]) -> str:
    """`/jobs/7/runs/100`, without what is not known."""
    return "".join(f"/{what}/{quote(name[:NAME_LIMIT], safe='')}" for what, name in parts if name)


def _data(action: Action, message: Message) -> dict[str, Any]:
    """The table `data` of the page: every key is there, empty where there is nothing to say."""
    return {
        "verb": str(action.verb),
        "episode": message_id(action.episode_key),
        "headline": clean(message.headline),
        "level": message.level,
        "outcome": message.outcome,
        "severity": message.severity,
        "source": clean(message.source),
        "link": _link(message.link),
        "job_link": _link(message.job_link),
        "facts": {clean(name): clean(value) for name, value in message.facts.items()},
        "owner": cut(clean(action.owner), NAME_LIMIT),
        "since": message.since,
        "note": clean(message.note),
        "text": clean(message.text),
        "nodes": [_node(node) for node in message.nodes],
        "more_nodes": message.more_nodes,
        "skipped": message.skipped,
        **{name: _lines(getattr(message, name)) for name in ("new", "still", "fixed")},
        "by_cause": _lines(message.causes),
        "by_owner": _lines(message.owners),
        "left_out": message.left_out,
    }


def _node(node: Node) -> Mapping[str, Any]:
    return {
        name: _lines(value) if isinstance(value, tuple) else clean(str(value))
        for name, value in asdict(node).items()
    }


def _link(url: str) -> str:
    return url if url.startswith(("https://", "http://")) else ""


def _lines(values: tuple[str, ...]) -> list[str]:
    return [clean(value) for value in values]
