"""How Slack says no: in words, which the Web API and webhooks answer each in their own way.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage#errors and
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse

BUSY = ("ratelimited", "rate_limited")

# what webhooks answer, by word; others are 400
_STATUSES = {
    "action_prohibited": 403,
    "invalid_token": 403,
    "channel_not_found": 404,
    "no_service": 404,
    "no_team": 404,
    "channel_is_archived": 410,
    "rate_limited": 429,
    "rollup_error": 500,
}
# webhooks have fewer words
_OF_WEBHOOKS = {
    "is_archived": "channel_is_archived",
    "ratelimited": "rate_limited",
    "invalid_json": "invalid_payload",
    "json_not_object": "invalid_payload",
    "invalid_post_type": "invalid_payload",
    "invalid_arguments": "invalid_payload",
    "invalid_blocks_format": "invalid_blocks",
    "msg_blocks_too_long": "invalid_blocks",
}


@dataclass
class Refusal(Exception):
    """`word` says why; `details` is what the Web API answers beside it."""

    word: str
    details: Mapping[str, Any] = field(default_factory=dict)
    retry_after: timedelta = timedelta(seconds=1)

    def of_api(self) -> JSONResponse:
        """HTTP 200, whatever it is, unless there were too many requests."""
        body = {"ok": False, "error": self.word, **self.details}
        if self.word in BUSY:
            return JSONResponse(body, 429, self._headers)
        return JSONResponse(body)

    def of_webhook(self) -> PlainTextResponse:
        word = _OF_WEBHOOKS.get(self.word, self.word)
        headers = self._headers if word in BUSY else None
        return PlainTextResponse(word, _STATUSES.get(word, 400), headers)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, math.ceil(self.retry_after.total_seconds())))}


def because(word: str, *reasons: str) -> Refusal:
    """With reasons for whoever wrote the program, as Slack gives them."""
    messages = [f"[ERROR] {reason}" for reason in reasons]
    return Refusal(word, {"errors": list(reasons), "response_metadata": {"messages": messages}})
