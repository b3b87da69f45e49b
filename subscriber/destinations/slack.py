"""Slack: through a webhook a message each; with a bot one message an episode, kept current.

Sources: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://docs.slack.dev/reference/methods/chat.postMessage and
https://docs.slack.dev/reference/methods/chat.update
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar, Self

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.actions import Action, Handle, Unfinished, Verb
from subscriber.addresses import secret_address
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined, reached
from subscriber.outbound import Busy, Outbound, Refused, Reply, UnknownOutcome, retry_after_s
from subscriber.owners import Owner
from subscriber.saying import slack_looks as looks
from subscriber.saying import slack_refusals as refusals
from subscriber.saying.slack import Body, told, told_plainly

SLACK = "https://slack.com"
JSON = {"Content-Type": "application/json; charset=utf-8"}
PLAIN = Handle(key="plain text")  # so far: Slack has refused the blocks

_FOLLOWS = frozenset({Verb.UPDATE, Verb.REMIND, Verb.CLOSE})
_SEEN_BY_ALL = frozenset({Verb.REMIND, Verb.CLOSE})
"""Replies that the channel sees too: an edit notifies nobody, a thread only who follows it."""


class Slack(Destination):
    """`webhook_url`, or `bot_token` with `channel`, which is its id or its name.

    With a bot an episode is one message that says what is the case now, and a thread of what has
    been since. `base_url` stands in place of slack.com, or of the webhook's host. The channel of an
    episode stays; its credential is today's, for a new token of the same bot edits the message.
    """

    does: ClassVar[Does] = Does.TELL
    repeatable: ClassVar[bool] = False  # people see it twice
    keeps: ClassVar[frozenset[str]] = frozenset({"channel"})
    # one a second, and something for the way there
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = ((1, timedelta(seconds=1.2)),)

    webhook_url: SecretStr | None = Field(
        None, description="where the URL of an incoming webhook is kept; or a bot's token"
    )
    bot_token: SecretStr | None = Field(
        None, description="where the bot's token is kept; needs a channel"
    )
    channel: str | None = Field(
        None, description="the channel's id, such as C0123456789, or its name in quotes"
    )
    base_url: str = Field(
        SLACK, description="another address of Slack, such as https://slack-gov.com"
    )
    _called: tuple[str, ...] = PrivateAttr(default=())

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        saying = _Saying(self, action, _Asking(self, outbound), self._called)
        if self.webhook_url is not None:
            return saying.through_webhook(self._address(self.webhook_url))
        parent = _Parent.of(action.opened) if action.verb in _FOLLOWS else None
        return saying.follow(parent) if parent else saying.post()

    def examine(self, outbound: Outbound) -> Examined:
        if self.webhook_url is not None:
            host = reached(outbound, self._address(self.webhook_url))
            said = f"{host} answers; untried: the webhook"
            return Examined(said, is_tried=False)
        asking, channel = _Asking(self, outbound), (self.channel or "").removeprefix("#")
        bot = looks.bot(asking.ask("auth.test"))
        if not looks.is_id(channel):
            return looks.unseen(bot, f"#{channel}")
        try:
            return looks.in_channel(bot, asking.ask("conversations.info", channel=channel))
        except Refused as refused:
            if refusals.word(refused.reply) != "missing_scope":
                raise
            return looks.unseen(bot, channel)

    def misfit(self, name: str) -> str:
        if self.bot_token is not None:
            return looks.misfit_token(self.bot_token.get_secret_value())
        if self.webhook_url is None:
            return ""
        try:
            return looks.misfit_address(self._address(self.webhook_url))
        except PermanentFailure as failure:
            return str(failure).removeprefix(f"{name}: ")

    def shown(self, action: Action) -> str:
        where = {"channel": self.channel} if self.channel else {}
        return as_text(where | told(action, self._called))

    def mentioning(self, owners: Sequence[Owner]) -> Self:
        calling = self.model_copy()
        calling._called = tuple(dict.fromkeys(owner.slack for owner in owners if owner.slack))
        return calling

    def as_opened(self, fields: Mapping[str, Any]) -> Self:
        # from a webhook to a bot or back: what follows is posted anew, in today's way
        is_the_same_way = bool(fields.get("channel")) is bool(self.channel)
        return super().as_opened(fields) if is_the_same_way else self

    def _address(self, kept: SecretStr) -> str:
        base_url = "" if self.base_url == SLACK else self.base_url
        return secret_address(kept.get_secret_value(), base_url, "webhook_url")

    @field_validator("channel")
    @classmethod
    def _is_a_channel(cls, value: str | None) -> str | None:
        if value is not None and (not value.strip(" #") or len(value.split()) > 1 or "/" in value):
            raise ValueError("write the channel's id, such as C0123456789, or its name in quotes")
        return value and value.strip()

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if self.webhook_url and self.bot_token:
            raise ValueError("there are two ways here: keep either `webhook_url` or `bot_token`")
        if self.webhook_url and self.channel:
            raise ValueError(
                "a webhook posts to the channel it was made for: take `channel` out, "
                "or use a `bot_token` in place of `webhook_url`"
            )
        if self.bot_token and not self.channel:
            raise ValueError(
                "`bot_token` needs a `channel`: its id, such as C0123456789, "
                'or its name in quotes, such as "#data-alerts"'
            )
        if not self.webhook_url and not self.bot_token:
            raise ValueError(
                "say how to reach Slack: a `webhook_url`, or a `bot_token` and a `channel`"
            )
        return self


@dataclass(frozen=True)
class _Parent:
    """The message of an episode: its channel's id, and its time there, which names it."""

    channel: str
    ts: str

    @classmethod
    def of(cls, opened: Handle | None) -> "_Parent | None":
        channel, _, ts = opened.key.partition("/") if opened else ("", "", "")
        return cls(channel, ts) if channel and ts else None

    @property
    def handle(self) -> Handle:
        """What is kept of it; nothing where Slack did not say what it is called."""
        return Handle(key=f"{self.channel}/{self.ts}") if self.channel and self.ts else Handle()


@dataclass(frozen=True)
class _Saying:
    """One action being said. Methods raise what Slack's answer means."""

    slack: Slack
    action: Action
    asking: "_Asking"
    called: Sequence[str]

    def through_webhook(self, url: str) -> Handle:
        """A message of its own; nothing comes back by which to find it again."""
        self._in_some_form(lambda said: self.asking.request(url, said))
        return Handle()

    def post(self, **where: Any) -> Handle:
        """A message of its own or, with `thread_ts`, a reply."""
        to = {"channel": self.slack.channel, "unfurl_links": False, "unfurl_media": False, **where}
        reply = self._in_some_form(lambda said: self.asking.call("chat.postMessage", to | said))
        return _Parent(reply.text("channel"), reply.text("ts")).handle

    def follow(self, parent: _Parent) -> Handle:
        """The episode's message says what is now, and a reply in its thread that this has changed.

        Where that message is gone, another takes its place. The edit is safe to repeat.
        """
        try:
            self._edit(parent)
        except Refused as refused:
            if refusals.word(refused.reply) in refusals.GONE:
                return self._instead_of(parent)
            if refusals.word(refused.reply) not in refusals.FIXED:
                raise
        is_broadcast = self.action.verb in _SEEN_BY_ALL
        try:
            self.post(channel=parent.channel, thread_ts=parent.ts, reply_broadcast=is_broadcast)
        except Refused as refused:
            if refusals.word(refused.reply) not in refusals.NO_THREAD:
                raise
            return self._instead_of(parent)
        return parent.handle

    def _instead_of(self, parent: _Parent) -> Handle:
        return replace(self.post(channel=parent.channel), replaces=True)

    def _edit(self, parent: _Parent) -> None:
        # not to name blocks would leave those that are there; `none`: no names made into mentions
        to = {"channel": parent.channel, "ts": parent.ts, "parse": "none", "blocks": []}
        self._in_some_form(lambda said: self.asking.call("chat.update", to | said, repeatable=True))

    def _in_some_form(self, send: Callable[[Body], Reply]) -> Reply:
        """`send` it as blocks or, if Slack has refused those, as plain text."""
        if self.action.so_far != PLAIN:
            try:
                return send(told(self.action, self.called))
            except Refused as refused:
                if refusals.word(refused.reply) not in refusals.FORM:
                    raise
        try:
            return send({"text": told_plainly(self.action, self.called)})
        except UnknownOutcome:
            raise
        except TemporaryFailure as failure:
            raise Unfinished(str(failure), PLAIN, failure.retry_after_s, is_out=False) from None


@dataclass(frozen=True)
class _Asking:
    """Requests to Slack, whose answers are a yes: what else it answers is raised."""

    slack: Slack
    outbound: Outbound

    def call(self, method: str, body: Body, *, repeatable: bool = False) -> Reply:
        """A method of the Web API that posts or edits."""
        return self.request(self._url(method), body, headers=self._bearer, repeatable=repeatable)

    def ask(self, method: str, **arguments: str) -> Reply:
        """One that only tells."""
        url = self._url(method)
        with self._translating():
            reply = self.outbound.get_json(url, headers=self._bearer, params=arguments)
        return self._yes(reply)

    def request(
        self,
        url: str,
        body: Body,
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Reply:
        with self._translating():
            reply = self.outbound.post_json(
                url,
                body,
                headers={**JSON, **(headers or {})},
                repeatable=repeatable,
                to_the_letter=True,
            )
        return self._yes(reply)

    @property
    def _bearer(self) -> dict[str, str]:
        token = self.slack.bot_token.get_secret_value() if self.slack.bot_token else ""
        return {"Authorization": f"Bearer {token}"}

    def _url(self, method: str) -> str:
        return f"{self.slack.base_url.removesuffix('/api')}/api/{method}"

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (Refused, Busy) as failure:
            raise refusals.translated(failure) from None

    def _yes(self, reply: Reply) -> Reply:
        if not refusals.is_yes(reply):
            wait_s = retry_after_s(reply.headers.get("Retry-After"), self.outbound.clock())
            raise refusals.refusal(reply, wait_s)
        return reply
