"""PagerDuty: an episode is one alert, opened, updated and closed by its key.

Source: https://developer.pagerduty.com/docs/events-api-v2-overview
"""

import hashlib
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import SecretStr

from subscriber.actions import Action, Handle, Message, Node, Verb
from subscriber.destination import Destination, Does, as_text
from subscriber.outbound import Outbound, encode
from subscriber.owners import Owner

SUMMARY_LIMIT = 1024  # characters; PagerDuty refuses longer ones
KEY_LIMIT = 255  # characters
EVENT_LIMIT_BYTES = 512_000  # the whole request; "512 KB" read the careful way


class PagerDuty(Destination):
    """`routing_key` is the integration key (Events API v2) of a service or an orchestration.

    An alert is resolved through the routing key that opened it. `former_routing_keys` are needed
    for that where a key is kept in a variable or a file, which know nothing of what was before.
    """

    does: ClassVar[Does] = Does.ALERT
    repeatable: ClassVar[bool] = True  # what has the same key is joined
    keeps: ClassVar[frozenset[str]] = frozenset({"routing_key", "base_url"})
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = ((120, timedelta(minutes=1)),)

    routing_key: SecretStr
    former_routing_keys: tuple[SecretStr, ...] = ()
    base_url: str = "https://events.pagerduty.com"
    severity: Literal["critical", "error", "warning", "info"] = "error"

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        alert = self.alert(action)
        outbound.post_json(f"{self.base_url}/v2/enqueue", encode(alert))
        return Handle(key=alert["dedup_key"])

    def for_owner(self, owner: Owner) -> Self:
        if owner.pagerduty is None:
            return self
        return self.model_copy(update={"routing_key": owner.pagerduty})

    def shown(self, action: Action) -> str:
        return as_text(self.alert(action) | {"routing_key": "…"})

    def alert(self, action: Action) -> dict[str, Any]:
        """What to tell PagerDuty about `action`; at most EVENT_LIMIT_BYTES as JSON. Pure."""
        is_told = action.verb is Verb.TELL
        alert: dict[str, Any] = {
            "routing_key": self.routing_key.get_secret_value(),
            "dedup_key": _key(action.key if is_told else action.episode_key),
        }
        if action.verb is Verb.CLOSE:
            return alert | {"event_action": "resolve"}
        message = action.message
        what = _class(action)
        article = "An" if what.startswith("a") else "A"
        alert |= {
            "event_action": "trigger",
            "client": "Afterrun",
            "payload": {
                "summary": _cut(message.headline.strip() or f"{article} {what}", SUMMARY_LIMIT),
                "source": message.source.strip() or "dbt Cloud",
                "severity": "info" if is_told else self._severity(message),
                "timestamp": action.occurred_at.isoformat(),
                "class": what,
            },
        }
        if message.link:
            alert |= {
                "client_url": message.link,
                "links": [{"href": message.link, "text": "The run in dbt Cloud"}],
            }
        return _with_details(alert, message, action.owner)

    def _severity(self, message: Message) -> str:
        is_milder = message.level == "warning" and self.severity != "info"
        return "warning" if is_milder else self.severity


def _class(action: Action) -> str:
    """What kind of thing is told; what is only told may be about no problem at all."""
    if action.verb is Verb.TELL and not action.message.level:
        return "afterrun digest"
    return "dbt run warned" if action.message.level == "warning" else "dbt run failed"


def _key(episode_key: str) -> str:
    if len(episode_key) <= KEY_LIMIT:
        return episode_key
    return "afterrun/sha256/" + hashlib.sha256(episode_key.encode()).hexdigest()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _with_details(alert: dict[str, Any], message: Message, owner: str) -> dict[str, Any]:
    """`alert` with all details that fit; what is left out is said, never refused for its size."""
    shown = len(message.nodes)
    text_limit = None
    while True:
        details = _details(message, owner, shown, text_limit)
        whole = alert | {"payload": alert["payload"] | {"custom_details": details}}
        if len(encode(whole)) <= EVENT_LIMIT_BYTES:
            return whole
        if text_limit is None:
            text_limit = 16_000
        elif text_limit > 250:
            text_limit //= 2
        elif shown:
            shown //= 2
        else:
            note = "The details were too large for PagerDuty and are left out; see the run."
            return alert | {"payload": alert["payload"] | {"custom_details": {"note": note}}}


def _details(message: Message, owner: str, shown: int, text_limit: int | None) -> dict[str, Any]:
    limit = text_limit if text_limit is not None else 10**9
    more = message.more_nodes + len(message.nodes) - shown
    episode = {
        "owner": owner,
        "since": message.since,
        "new": list(message.new),
        "still_failing": list(message.still),
        "fixed": list(message.fixed),
        "by_cause": list(message.causes),
        "by_owner": list(message.owners),
    }
    details: dict[str, Any] = message.facts | {k: told for k, told in episode.items() if told}
    if message.nodes:
        details["failed"] = [_node(node, limit) for node in message.nodes[:shown]]
    if more:
        details["failed_more"] = f"and {more} more"
    if message.skipped:
        details["skipped"] = message.skipped
    if message.text:
        details["text"] = _cut(message.text, limit)
    if text_limit is not None:
        details["note"] = "Some details were cut to fit PagerDuty's limit of 512 KB; see the run."
    return details


def _node(node: Node, text_limit: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": node.name,
        "kind": node.kind,
        "status": node.status,
        "error": _cut(node.message, text_limit),
        "path": node.path,
        "owner": node.owner,
        "group": node.group,
        "tags": list(node.tags),
        "skipped_because_of_it": list(node.skipped),
        "unique_id": node.unique_id,
    }
    return {key: value for key, value in told.items() if value}
