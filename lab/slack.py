"""Slack: an incoming webhook, and of the Web API what posts and edits messages and tells of a bot.

What posts takes JSON only, where the real one takes forms too. Sources:
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://docs.slack.dev/reference/methods/chat.postMessage,
https://docs.slack.dev/reference/methods/chat.update,
https://docs.slack.dev/reference/methods/auth.test and
https://docs.slack.dev/reference/methods/conversations.info
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import slack_arguments as arguments
from lab.faults import Faults, WithFaults
from lab.limits import Window
from lab.slack_message import Message
from lab.slack_refusal import Refusal
from lab.timeline import Timeline

SIDE = "Slack"
BOT = "B0AFTERRUN"
POSTS = (1, timedelta(seconds=1))  # in one channel
UPDATES = (50, timedelta(minutes=1))  # "tier 3"
EDITED_TEXT_LIMIT = 4_000  # not cut, but refused; nowhere documented, seen by several


class Slack:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `channels` are the names of its public channels by their ids; the first is the webhook's. What
    is wrong with the workspace is set in the public fields, and with `refuse`.
    """

    def __init__(
        self,
        *,
        token: str,
        channels: Mapping[str, str],
        webhook_path: str,
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.faults = Faults()
        self.archived: set[str] = set()
        self.left: set[str] = set()
        """Ids of channels that the bot is not in."""
        self.private: set[str] = set()
        """Ids of channels of which nobody hears who is not in them."""
        self.scopes = {"chat:write"}
        self.edit_window: timedelta | None = None
        """How long after its posting a message can be edited, if not for ever."""
        self.unthreads = False
        """What answers a message that is gone is posted in the channel, and no error."""
        self._token = token
        self._channels = dict(channels)
        self._webhook_path = webhook_path.strip("/").split("/")
        self._timeline = timeline or Timeline()
        self._clock = clock
        self._messages: dict[str, Message] = {}
        self._count = 0
        self._posts = {channel: Window(*POSTS, clock) for channel in channels}
        self._updates = Window(*UPDATES, clock)
        self._refusals: deque[str] = deque()
        self._refusal = ""
        app = Starlette(
            routes=[
                Route("/services/{path:path}", self._webhook, methods=["POST"]),
                Route("/api/{method}", self._api, methods=["POST"]),
                Route("/api/{method}", self._tell, methods=["GET"]),
            ]
        )
        self.app: ASGIApp = WithFaults(app, self.faults)

    @property
    def messages(self) -> list[Message]:
        """All messages as they are now, replies too, in the order in which they were posted."""
        return list(self._messages.values())

    def thread(self, ts: str) -> list[Message]:
        """The replies to the message `ts`."""
        return [message for message in self.messages if message.thread == ts]

    def delete(self, ts: str) -> None:
        """As a person does who deletes the message `ts`."""
        del self._messages[ts]

    def refuse(self, word: str, times: int | None = None) -> None:
        """The next `times` authentic requests are refused with `word`; all, if that is not said."""
        if times is None:
            self._refusal = word
        else:
            self._refusals.extend([word] * times)

    async def _webhook(self, request: Request) -> PlainTextResponse:
        try:
            self._knock(request.path_params["path"])
            told = arguments.read(request.headers.get("content-type", ""), await request.body())
            self._post(next(iter(self._channels)), told, is_by_webhook=True)
        except Refusal as refusal:
            self._timeline.saw(SIDE, f"webhook refused: {refusal.word}")
            return refusal.of_webhook()
        return PlainTextResponse("ok")

    async def _api(self, request: Request) -> JSONResponse:
        method = request.path_params["method"]
        methods = {"chat.postMessage": self._post_message, "chat.update": self._update}
        try:
            if method not in methods:
                raise Refusal("unknown_method")
            self._authenticate(request.headers.get("authorization", ""))
            content_type = request.headers.get("content-type", "")
            answer = methods[method](arguments.read(content_type, await request.body()))
        except Refusal as refusal:
            self._timeline.saw(SIDE, f"{method} refused: {refusal.word}")
            return refusal.of_api()
        if "charset" not in content_type:
            answer |= {"warning": "missing_charset"}
            answer |= {"response_metadata": {"warnings": ["missing_charset"]}}
        return JSONResponse({"ok": True, **answer})

    async def _tell(self, request: Request) -> JSONResponse:
        """A method that only tells: its arguments are in the query."""
        method = request.path_params["method"]
        methods = {"auth.test": self._who, "conversations.info": self._channel_info}
        try:
            if method not in methods:
                raise Refusal("unknown_method")
            self._identify(request.headers.get("authorization", ""))
            answer = methods[method](request.query_params)
        except Refusal as refusal:
            return refusal.of_api()
        scopes = {"X-OAuth-Scopes": ",".join(sorted(self.scopes))}
        return JSONResponse({"ok": True, **answer}, headers=scopes)

    def _who(self, _: Mapping[str, str]) -> dict[str, Any]:
        return {
            "url": "https://teahouse.slack.com/",
            "team": "Teahouse",
            "user": "afterrun",
            "team_id": "T0TEAHOUSE",
            "user_id": "U0AFTERRUN",
            "bot_id": BOT,
            "is_enterprise_install": False,
        }

    def _channel_info(self, told: Mapping[str, str]) -> dict[str, Any]:
        channel = arguments.named(told, "channel")
        if not self.scopes & {"channels:read", "groups:read"}:
            self._need("channels:read")
        is_known = channel in self._channels
        if not is_known or (channel in self.private and channel in self.left):
            raise Refusal("channel_not_found")
        self._need("groups:read" if channel in self.private else "channels:read")
        return {
            "channel": {
                "id": channel,
                "name": self._channels[channel],
                "name_normalized": self._channels[channel],
                "created": 1449252889,
                "creator": "U0LENA",
                "is_channel": channel not in self.private,
                "is_group": channel in self.private,
                "is_im": False,
                "is_mpim": False,
                "is_general": False,
                "is_private": channel in self.private,
                "is_archived": channel in self.archived,
                "is_member": channel not in self.left,
                "is_shared": False,
                "is_ext_shared": False,
                "is_org_shared": False,
                "is_pending_ext_shared": False,
                "parent_conversation": None,
                "pending_shared": [],
                "previous_names": [],
                "topic": {"creator": "", "last_set": 0, "value": ""},
                "purpose": {"creator": "", "last_set": 0, "value": ""},
                "unlinked": 0,
            }
        }

    def _knock(self, path: str) -> None:
        """Refuse a webhook's URL that is not the one that was given out."""
        names = ["services", *path.split("/")]
        words = ("no_service", "no_team", "no_service", "invalid_token")
        for name, own, word in zip(names, self._webhook_path, words, strict=False):
            if not compare_digest(name.encode(), own.encode()):
                raise Refusal(word)
        if len(names) != len(self._webhook_path):
            raise Refusal("no_service")
        self._refuse()

    def _authenticate(self, authorization: str) -> None:
        self._identify(authorization)
        self._need("chat:write")

    def _identify(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refusal("not_authed")
        if not compare_digest(token.strip().encode(), self._token.encode()):
            raise Refusal("invalid_auth")
        self._refuse()

    def _need(self, scope: str) -> None:
        if scope not in self.scopes:
            provided = ",".join(sorted(self.scopes))
            raise Refusal("missing_scope", {"needed": scope, "provided": provided})

    def _refuse(self) -> None:
        word = self._refusals.popleft() if self._refusals else self._refusal
        if word:
            raise Refusal(word)

    def _post_message(self, told: Mapping[str, Any]) -> dict[str, Any]:
        named = arguments.named(told, "channel").removeprefix("#")
        channel = named if named in self._channels else self._by_name(named)
        if channel in self.left and "chat:write.public" not in self.scopes:
            raise Refusal("not_in_channel")
        thread = arguments.named(told, "thread_ts") if "thread_ts" in told else ""
        if thread:
            parent = self._messages.get(thread)
            if parent is None or parent.thread or parent.channel != channel:
                if not self.unthreads:
                    raise Refusal("thread_not_found")
                thread = ""
        is_broadcast = bool(thread and told.get("reply_broadcast"))
        message = self._post(channel, told, thread=thread, is_broadcast=is_broadcast)
        return {"channel": channel, "ts": message.ts, "message": message.told(BOT)}

    def _by_name(self, name: str) -> str:
        for channel, known in self._channels.items():
            if known == name:
                return channel
        raise Refusal("channel_not_found")

    def _post(self, channel: str, told: Mapping[str, Any], **how: Any) -> Message:
        if channel in self.archived:
            raise Refusal("is_archived")
        wait = self._posts[channel].room_in()
        if wait is not None:
            raise Refusal("ratelimited", retry_after=wait)
        said = arguments.said(told, self._clock())
        self._posts[channel].take()
        message = Message(channel, self._next_ts(), (said,), **how)
        self._messages[message.ts] = message
        self._saw("reply" if message.thread else "message", message)
        return message

    def _update(self, told: Mapping[str, Any]) -> dict[str, Any]:
        channel, ts = arguments.named(told, "channel"), arguments.named(told, "ts")
        if channel not in self._channels:
            raise Refusal("channel_not_found")
        if channel in self.archived:
            raise Refusal("is_inactive")
        message = self._messages.get(ts)
        if message is None or message.channel != channel:
            raise Refusal("message_not_found")
        if message.is_by_webhook:
            raise Refusal("cant_update_message")
        age = self._clock() - message.said[0].at
        if self.edit_window is not None and age > self.edit_window:
            raise Refusal("edit_window_closed")
        said = arguments.said(told, self._clock(), before=message.said[-1])
        if len(said.text) > EDITED_TEXT_LIMIT:
            raise Refusal("msg_too_long")
        wait = self._updates.take()
        if wait is not None:
            raise Refusal("ratelimited", retry_after=wait)
        self._messages[ts] = message = message.edited(said)
        self._saw("edited", message)
        return {"channel": channel, "ts": ts, "text": message.text, "message": message.told(BOT)}

    def _next_ts(self) -> str:
        self._count += 1
        return f"{int(self._clock().timestamp())}.{self._count:06d}"

    def _saw(self, what: str, message: Message) -> None:
        name = f"#{self._channels[message.channel]}"
        first = message.shown.partition("\n")[0]
        facts = {"channel": message.channel, "ts": message.ts, "thread": message.thread}
        self._timeline.saw(SIDE, f"{what} in {name}: {first}", **facts)
