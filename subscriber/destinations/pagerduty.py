"""PagerDuty: an episode is one alert, opened, updated and closed by its key.

What is only told is an alert of its own that wakes nobody, or, where that is wanted of runs that
were no problem, a change event: it stands beside the alerts of its service.

Source: https://developer.pagerduty.com/docs/events-api-v2-overview
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr

from subscriber.actions import Action, Handle, Message, Verb
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined, reached
from subscriber.outbound import Outbound, Refused, encode
from subscriber.owners import Owner
from subscriber.saying import pagerduty as saying
from subscriber.saying.pagerduty_refusals import NO_CHANGES, explained, not_taken
from subscriber.shortening import fitting

KEY_LIMIT = 255  # characters
ROUTING_KEY = 32  # characters of one; others are refused
EVENT_LIMIT_BYTES = 512_000  # the whole request; "512 KB" read the careful way
RULESET = "R"  # routing keys that begin so take no change events


class PagerDuty(Destination):
    """`routing_key` is the integration key (Events API v2) of a service or an orchestration.

    An alert is resolved through the routing key that opened it. `former_routing_keys` are needed
    for that where a key is kept in a variable or a file, which know nothing of what was before.
    """

    does: ClassVar[Does] = Does.ALERT
    repeatable: ClassVar[bool] = True  # what has the same key is joined
    keeps: ClassVar[frozenset[str]] = frozenset({"routing_key", "base_url"})
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = ((120, timedelta(minutes=1)),)

    routing_key: SecretStr = Field(description="where the integration key is kept")
    former_routing_keys: tuple[SecretStr, ...] = Field(
        (), description="where former integration keys are kept: they close what they opened"
    )
    base_url: str = Field(
        "https://events.pagerduty.com",
        description="in the EU region https://events.eu.pagerduty.com",
    )
    severity: Literal["critical", "error", "warning", "info"] = Field(
        "error", description="how bad failures are"
    )
    change_events: bool = Field(
        default=False, description="whether rules may name it for runs that were no problem"
    )

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        if not self._is_change(action):
            return self._enqueue("/v2/enqueue", self.alert(action), outbound)
        if self.routing_key.get_secret_value().startswith(RULESET):
            raise Refused(NO_CHANGES, 400)  # as PagerDuty would: the key may be another by now
        # two changes that are the same are shown as two
        return self._enqueue("/v2/change/enqueue", self.change(action), outbound, repeatable=False)

    def examine(self, outbound: Outbound) -> Examined:
        host = reached(outbound, self.base_url)
        return Examined(f"{host} answers; untried: the key", is_tried=False)

    def misfit(self, name: str) -> str:
        has = len(self.routing_key.get_secret_value())
        if has == ROUTING_KEY:
            return ""
        return (
            f"a routing key has {ROUTING_KEY} characters, this has {has}: copy the integration key "
            "of the service's integration Events API v2"
        )

    def tells_ends(self) -> bool:
        return self.change_events

    def for_owner(self, owner: Owner) -> Self:
        if owner.pagerduty is None:
            return self
        return self.model_copy(update={"routing_key": owner.pagerduty})

    def shown(self, action: Action) -> str:
        event = self.change(action) if self._is_change(action) else self.alert(action)
        return as_text(event | {"routing_key": "…"})

    def alert(self, action: Action) -> dict[str, Any]:
        """What to tell PagerDuty about `action`; at most EVENT_LIMIT_BYTES as JSON. Pure."""
        return _fitting(action, self._alert)

    def change(self, action: Action) -> dict[str, Any]:
        """The same as a change event, without severity and key: nobody is paged by it. Pure."""
        return _fitting(action, self._change)

    def _enqueue(
        self, path: str, event: dict[str, Any], outbound: Outbound, *, repeatable: bool = True
    ) -> Handle:
        try:
            reply = outbound.post_json(self.base_url + path, encode(event), repeatable=repeatable)
        except Refused as refused:
            raise explained(refused) from None
        if reply.status != 202:
            raise not_taken(reply)
        return Handle(key=event.get("dedup_key", ""))

    def _is_change(self, action: Action) -> bool:
        """Digests stay alerts: what was held back is to be seen."""
        told = action.message
        is_end = action.verb is Verb.TELL and not told.level and told.outcome != "digest"
        return self.change_events and is_end

    def _alert(self, action: Action, message: Message) -> dict[str, Any]:
        """`message` is what there is room for of the message of `action`."""
        is_told = action.verb is Verb.TELL
        alert: dict[str, Any] = {
            "routing_key": self.routing_key.get_secret_value(),
            "dedup_key": _key(action.key if is_told else action.episode_key),
        }
        if action.verb is Verb.CLOSE:
            return alert | {"event_action": "resolve"}
        payload: dict[str, Any] = {
            **saying.about(action),
            **saying.to_rules(action.message),
            "severity": "info" if is_told else saying.severity(message, self.severity),
            "custom_details": saying.details(action, message),
        }
        links = saying.links(action, message)
        alert |= {"event_action": "trigger", "client": "Afterrun", "payload": payload}
        return alert | ({"client_url": links[0]["href"], "links": links} if links else {})

    def _change(self, action: Action, message: Message) -> dict[str, Any]:
        change = {
            "routing_key": self.routing_key.get_secret_value(),
            "payload": {
                **saying.about(action),
                "custom_details": saying.details(action, message),
            },
        }
        links = saying.links(action, message)
        return change | ({"links": links} if links else {})


def _fitting(action: Action, render: Callable[[Action, Message], dict[str, Any]]) -> dict[str, Any]:
    return fitting(
        action.message,
        lambda message: render(action, message),
        lambda event: len(encode(event)) <= EVENT_LIMIT_BYTES,
    )


def _key(key: str) -> str:
    if len(key) <= KEY_LIMIT:
        return key
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"afterrun/sha256/{digest}"
