"""What Slack tells of a bot and a channel: whether it may post there, as far as that shows. Pure.

Sources: https://docs.slack.dev/reference/methods/auth.test and
https://docs.slack.dev/reference/methods/conversations.info
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.errors import PermanentFailure
from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean
from subscriber.examined import Examined
from subscriber.outbound import Reply
from subscriber.saying import slack_refusals as refusals

POST, POST_ANYWHERE = "chat:write", "chat:write.public"
NAME_LIMIT = 80  # characters

_ID = re.compile(r"[CGD][A-Z0-9]{6,20}")


@dataclass(frozen=True)
class Bot:
    """`name` and its workspace, for people. `scopes` is what it may do; None: Slack did not say."""

    name: str
    scopes: frozenset[str] | None

    def may(self, scope: str) -> bool:
        return self.scopes is not None and scope in self.scopes


def misfit_token(token: str) -> str:
    """Why `token` cannot be a bot's; empty if it may be one."""
    if token.startswith(("xoxb-", "xoxe.xoxb-")):
        return ""
    return (
        "a bot token begins with xoxb-: copy the Bot User OAuth Token from the app's page OAuth & "
        "Permissions"
    )


def misfit_address(url: str) -> str:
    """Why `url` cannot be an incoming webhook's; empty if it may be one."""
    if urlsplit(url).path.startswith("/services/"):
        return ""
    return (
        "an incoming webhook's URL is https://hooks.slack.com/services/...: copy it from the app's "
        "page Incoming Webhooks"
    )


def is_id(channel: str) -> bool:
    """Whether it is a channel's id; else it is a name, by which Slack tells nothing of it."""
    return _ID.fullmatch(channel) is not None


def bot(reply: Reply) -> Bot:
    """Who the token is of. Raises Refused for one that may not post."""
    written = reply.headers.get("X-OAuth-Scopes")
    scopes = frozenset(written.replace(" ", "").split(",")) if written else None
    if scopes is not None and POST not in scopes:
        lacking = Reply(200, {"error": "missing_scope", "needed": POST})
        raise refusals.refusal(lacking)
    name, team = (_line(reply.text(key)) for key in ("user", "team"))
    return Bot(f"the bot {name} in {team}", scopes)


def in_channel(bot: Bot, reply: Reply) -> Examined:
    """What is to be said of `bot` in the channel of `reply`; raises Refused if it cannot post."""
    told = reply.content.get("channel") if isinstance(reply.content, dict) else None
    if not isinstance(told, dict):
        raise PermanentFailure("what answered tells of no channel: is it Slack?")
    if told.get("is_archived") is True:
        raise refusals.refusal(Reply(200, {"error": "is_archived"}))
    is_open = told.get("is_private") is not True and bot.may(POST_ANYWHERE)
    if told.get("is_member") is False and not is_open:
        raise refusals.refusal(Reply(200, {"error": "not_in_channel"}))
    where = "is in" if told.get("is_member") is True else "may post in"
    return Examined(f"{bot.name} {where} the channel #{_line(str(told.get('name')))}")


def unseen(bot: Bot, channel: str) -> Examined:
    """Where Slack does not tell of the channel: by a name, or without the scope channels:read."""
    return Examined(f"the token is of {bot.name}; unseen: whether it is in {channel}")


def _line(text: str) -> str:
    return cut(one_line(clean(text[:1_000])), NAME_LIMIT)
