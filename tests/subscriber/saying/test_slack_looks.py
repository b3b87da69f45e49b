"""What Slack tells of a bot and a channel."""

from typing import Any

import pytest

from shared.errors import PermanentFailure
from subscriber.outbound import Refused, Reply
from subscriber.saying import slack_looks as looks
from subscriber.saying.slack_looks import Bot

ANYWHERE = Bot("the bot b in t", frozenset({"chat:write", "chat:write.public"}))


def a_channel(**fields: Any) -> Reply:
    return Reply(200, {"ok": True, "channel": {"name": "data", "is_member": False, **fields}})


def test_a_scope_for_public_channels_is_none_for_private_ones() -> None:
    assert looks.in_channel(ANYWHERE, a_channel()).said.endswith("may post in the channel #data")
    with pytest.raises(Refused, match="not_in_channel"):
        looks.in_channel(ANYWHERE, a_channel(is_private=True))


def test_scopes_that_slack_does_not_tell_are_not_held_against_a_bot() -> None:
    told = Reply(200, {"ok": True, "user": "b", "team": "t"})

    assert looks.bot(told) == Bot("the bot b in t", None)


@pytest.mark.parametrize("content", [{}, {"channel": 7}, [], None])
def test_an_answer_about_no_channel_is_not_slacks(content: Any) -> None:
    with pytest.raises(PermanentFailure, match="is it Slack"):
        looks.in_channel(ANYWHERE, Reply(200, content))


@pytest.mark.parametrize(
    ("channel", "is_one"), [("C0123456789", True), ("G0123456789", True), ("data", False)]
)
def test_an_id_is_told_from_a_name(channel: str, *, is_one: bool) -> None:
    assert looks.is_id(channel) is is_one
