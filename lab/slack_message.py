"""A message in a channel of Slack: what it says now, what it said before, whom it pinged."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lab import slack_text

TEXT_LIMIT = 40_000  # characters; what is beyond is cut off


@dataclass(frozen=True)
class Said:
    """What a message says from `at` on."""

    at: datetime
    text: str
    blocks: tuple[Mapping[str, Any], ...]

    @property
    def mentions(self) -> tuple[str, ...]:
        return slack_text.mentions(self.text, self.blocks)

    @property
    def shown(self) -> str:
        """As people read it."""
        return slack_text.shown(self.text, self.blocks)


@dataclass(frozen=True)
class Message:
    """`ts` names it in the channel with the id `channel`; `thread` is the `ts` of its parent, if
    it is a reply; `said` is what it says and said, the oldest first.
    """

    channel: str
    ts: str
    said: tuple[Said, ...]
    thread: str = ""
    is_broadcast: bool = False
    """A reply that is seen in the channel too."""
    is_by_webhook: bool = False

    @property
    def text(self) -> str:
        return self.said[-1].text

    @property
    def blocks(self) -> tuple[Mapping[str, Any], ...]:
        return self.said[-1].blocks

    @property
    def shown(self) -> str:
        """As people read it now."""
        return self.said[-1].shown

    @property
    def edits(self) -> tuple[Said, ...]:
        """What it has come to say since it was posted."""
        return self.said[1:]

    @property
    def pings(self) -> tuple[str, ...]:
        """Whom it really pinged: that happens once, when a message is posted."""
        return self.said[0].mentions

    def edited(self, said: Said) -> "Message":
        return replace(self, said=(*self.said, said))

    def told(self, bot_id: str) -> dict[str, Any]:
        """As the Web API tells of it."""
        message: dict[str, Any] = {
            "type": "message",
            "subtype": "bot_message",
            "bot_id": bot_id,
            "text": self.text,
            "ts": self.ts,
        }
        if self.blocks:
            message["blocks"] = list(self.blocks)
        if self.thread:
            message["thread_ts"] = self.thread
        return message
