"""Slack: messages, threads and refusals, as the lab's stand-in has them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from lab.faults import Fault
from lab.serve import serve
from lab.slack import Slack as StandIn
from lab.slack_message import Message
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretRef
from subscriber.actions import Action, Handle, Unfinished, Verb
from subscriber.destinations.slack import Slack
from subscriber.examined import Examined
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome
from subscriber.owners import Owner
from tests.builders import Clock, a_told, an_action
from tests.subscriber.test_destinations.golden import PROBLEM
from tests.subscriber.test_destinations.world import World

TOKEN = "xoxb-0123456789-abcdefghijkl"
PATH = "/services/T012AB3CD/B012AB3CD/s3cr3t0123456789"
CHANNEL, OTHER = "C0123456789", "C9876543210"
MEMBER = "U012AB3CD"
PAGE = Path(__file__).parents[3] / "docs" / "destinations" / "slack.md"


class TickingClock(Clock):
    """Whoever looks at it finds a second gone: Slack's pace is not what these tests are about."""

    def __call__(self) -> Any:
        self.passes(1)
        return super().__call__()


def a_stand_in() -> StandIn:
    names = {CHANNEL: "data-alerts", OTHER: "other"}
    return StandIn(token=TOKEN, channels=names, webhook_path=PATH, clock=TickingClock())


def secret(ref: SecretRef) -> str:
    return {"TOKEN": TOKEN, "URL": f"https://hooks.slack.com{PATH}"}[ref.name]


def a_bot(**fields: Any) -> Slack:
    """As it is when its secrets have been read."""
    written = {"bot_token": "env:TOKEN", "channel": CHANNEL, **fields}
    return Slack.model_validate(written).with_secrets(secret)


def a_webhook(**fields: Any) -> Slack:
    return Slack.model_validate({"webhook_url": "env:URL", **fields}).with_secrets(secret)


@contextmanager
def a_world() -> Iterator[World]:
    stand_in = a_stand_in()
    with serve(stand_in.app) as url:
        yield World(
            destination=a_bot(base_url=url),
            action=an_action(Verb.OPEN),
            faults=stand_in.faults,
            carried_out=lambda: len(stand_in.messages),
            noes=(
                {"ok": False, "error": "is_archived"},
                {"ok": False, "error": "internal_error"},
                {"ok": False, "error": "invalid_auth"},
                {"ok": False, "error": "something_new"},
                {"ok": "yes"},
                {},
                [],
            ),
        )


class Told:
    """A Slack that serves; what it is told goes through a bot, unless told otherwise."""

    def __init__(self, url: str, stand_in: StandIn) -> None:
        self.url, self.stand_in = url, stand_in
        self.bot, self.webhook = a_bot(base_url=url), a_webhook(base_url=url)

    def tell(self, action: Action, through: Slack | None = None) -> Handle:
        return (through or self.bot).deliver(action, Outbound())

    def open(self) -> Handle:
        return self.tell(an_action(Verb.OPEN, message=PROBLEM))

    @property
    def messages(self) -> list[Message]:
        return self.stand_in.messages

    @property
    def in_the_channel(self) -> list[Message]:
        return [each for each in self.messages if not each.thread]

    @property
    def replies(self) -> list[Message]:
        return [each for each in self.messages if each.thread]


@pytest.fixture
def slack() -> Iterator[Told]:
    stand_in = a_stand_in()
    with serve(stand_in.app) as url:
        yield Told(url, stand_in)


def following(verb: Verb, opened: Handle | None, **told: Any) -> Action:
    headline = {
        Verb.UPDATE: "Daily build still fails in Production: 1 new (customers)",
        Verb.REMIND: "Still open after 1 d: Daily build failed in Production",
        Verb.CLOSE: "Daily build recovered in Production",
    }[verb]
    outcome = "recovered" if verb is Verb.CLOSE else "failed"
    message = a_told(**{"headline": headline, "outcome": outcome, **told})
    return an_action(verb, message=message, opened=opened)


def title(message: Message) -> str:
    return message.shown.split("\n")[0]


# configuration


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "say how to reach Slack: a `webhook_url`, or a `bot_token` and a `channel`"),
        ({"channel": CHANNEL}, "say how to reach Slack"),
        ({"bot_token": "env:TOKEN"}, "`bot_token` needs a `channel`"),
        ({"bot_token": "env:TOKEN", "channel": None}, 'its name in quotes, such as "#data-alerts"'),
        (
            {"bot_token": "env:TOKEN", "channel": CHANNEL, "webhook_url": "env:URL"},
            "keep either `webhook_url` or `bot_token`",
        ),
        ({"webhook_url": "env:URL", "channel": CHANNEL}, "take `channel` out"),
        ({"bot_token": "env:TOKEN", "channel": " # "}, "write the channel's id"),
        ({"bot_token": "env:TOKEN", "channel": "two words"}, "write the channel's id"),
        (
            {"bot_token": "env:TOKEN", "channel": "https://acme.slack.com/archives/C0123456789"},
            "write the channel's id",
        ),
    ],
)
def test_there_is_exactly_one_way_to_slack(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        Slack.model_validate(fields)


def test_white_space_around_a_channel_is_not_part_of_it() -> None:
    assert a_bot(channel=" #data-alerts\n").channel == "#data-alerts"


def test_an_episode_stays_in_its_channel_and_its_credential_is_that_of_today() -> None:
    then = Slack(bot_token=SecretStr("env:OLD"), channel="C0THEN0000")
    now = Slack(bot_token=SecretStr("env:NEW"), channel="C0NOW00000")

    acting = now.as_opened(then.as_written())

    assert acting.channel == "C0THEN0000"
    assert str(acting.secret_refs()["bot_token"]) == "env:NEW"


def test_who_went_from_a_webhook_to_a_bot_is_told_in_the_new_way() -> None:
    webhook = Slack(webhook_url=SecretStr("env:URL"))
    bot = Slack(bot_token=SecretStr("env:TOKEN"), channel="C0NOW00000")

    assert bot.as_opened(webhook.as_written()) == bot
    assert webhook.as_opened(bot.as_written()) == webhook


# through a webhook


def test_a_webhook_posts_a_message_for_each_and_knows_nothing_of_it_afterwards(slack: Told) -> None:
    actions = [
        an_action(Verb.OPEN, message=PROBLEM),
        following(Verb.UPDATE, None),
        following(Verb.CLOSE, None),
    ]

    handles = [slack.tell(action, slack.webhook) for action in actions]

    assert [title(each) for each in slack.in_the_channel] == [
        "🔴 Failed",
        "🔴 Still failing",
        "✅ Recovered",
    ]
    assert all(message.is_by_webhook for message in slack.messages)
    assert handles == [Handle()] * 3


def test_a_webhooks_own_host_is_used_unless_another_stands_in_its_place() -> None:
    stand_in = a_stand_in()
    with serve(stand_in.app) as url:
        webhook = Slack.model_validate({"webhook_url": "env:URL"})
        webhook.with_secrets(lambda _: f"{url}{PATH}").deliver(an_action(), Outbound())

        a_webhook(base_url=url).deliver(an_action(), Outbound())

    assert len(stand_in.messages) == 2


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("no_service", "add a new webhook"),
        ("invalid_token", "copy the whole of it"),
        ("is_archived", "unarchive it"),
        ("action_prohibited", "ask an admin"),
        ("channel_not_found", "the webhook's channel is not there any more"),
    ],
)
def test_a_webhook_that_is_refused_is_a_permanent_failure_with_its_fix(
    slack: Told, word: str, fix: str
) -> None:
    slack.stand_in.refuse(word)

    with pytest.raises(PermanentFailure, match=fix) as raised:
        slack.tell(an_action(), slack.webhook)

    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize("word", ["rate_limited", "rollup_error"])
def test_a_webhook_that_is_busy_is_asked_again_later(slack: Told, word: str) -> None:
    slack.stand_in.refuse(word)

    with pytest.raises(TemporaryFailure, match=word):
        slack.tell(an_action(), slack.webhook)


def test_a_webhook_that_may_have_posted_is_not_asked_again_at_once(slack: Told) -> None:
    slack.stand_in.faults.next(Fault("lost"))

    with pytest.raises(UnknownOutcome):
        slack.tell(an_action(), slack.webhook)

    assert len(slack.messages) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413])
def test_a_refusal_without_a_word_is_permanent_too(slack: Told, status: int) -> None:
    slack.stand_in.faults.next(Fault("answer", status=status, body={"path": PATH}))

    with pytest.raises(PermanentFailure, match=f"answered {status}") as raised:
        slack.tell(an_action(), slack.webhook)

    assert "s3cr3t" not in str(raised.value)


def test_what_is_no_webhook_is_not_taken_for_one(slack: Told) -> None:
    slack.stand_in.faults.next(Fault("answer", status=200, body="<html>"))

    with pytest.raises(PermanentFailure, match="is not Slack"):
        slack.tell(an_action(), slack.webhook)


def test_a_secret_that_is_no_address_says_so_and_is_not_repeated() -> None:
    webhook = Slack.model_validate({"webhook_url": "env:URL"}).with_secrets(lambda _: TOKEN)

    with pytest.raises(PermanentFailure, match=r"webhook_url: .* copy the whole") as raised:
        webhook.deliver(an_action(), Outbound())

    assert TOKEN not in str(raised.value)


# with a bot: one message an episode


def test_an_episode_is_one_message_that_says_what_is_the_case_now(slack: Told) -> None:
    opened = slack.open()
    before = title(slack.messages[0])
    slack.tell(following(Verb.UPDATE, opened, level="warning"))
    meanwhile = title(slack.messages[0])
    slack.tell(following(Verb.CLOSE, opened))

    (message,) = slack.in_the_channel
    assert [before, meanwhile, title(message)] == ["🔴 Failed", "⚠️ Still warning", "✅ Recovered"]
    assert [len(message.edits), len(slack.replies)] == [2, 2]
    assert opened.key == f"{CHANNEL}/{message.ts}"


def test_what_has_been_since_is_a_reply_in_its_thread(slack: Told) -> None:
    opened = slack.open()

    for verb in (Verb.UPDATE, Verb.REMIND, Verb.CLOSE):
        assert slack.tell(following(verb, opened)) == opened

    (parent,) = slack.in_the_channel
    assert [title(each) for each in slack.stand_in.thread(parent.ts)] == [
        "🔴 Still failing",
        "🔴 Still open",
        "✅ Recovered",
    ]


def test_a_reminder_and_a_recovery_are_seen_in_the_channel_too(slack: Told) -> None:
    opened = slack.open()

    for verb in (Verb.UPDATE, Verb.REMIND, Verb.CLOSE):
        slack.tell(following(verb, opened))

    assert [each.is_broadcast for each in slack.replies] == [False, True, True]


def test_what_is_only_told_is_a_message_of_its_own(slack: Told) -> None:
    opened = slack.open()

    slack.tell(an_action(Verb.TELL, opened=opened))

    assert len(slack.in_the_channel) == 2


@pytest.mark.parametrize("opened", [None, Handle(), Handle(key="odd"), Handle(key="/1.2")])
def test_an_episode_whose_message_is_not_known_gets_one(slack: Told, opened: Handle | None) -> None:
    handle = slack.tell(following(Verb.UPDATE, opened))

    (message,) = slack.in_the_channel
    assert handle.key == f"{CHANNEL}/{message.ts}"


def test_a_message_that_is_gone_is_replaced_and_the_new_one_is_the_episodes(slack: Told) -> None:
    opened = slack.open()
    slack.stand_in.delete(slack.messages[0].ts)

    anew = slack.tell(following(Verb.UPDATE, opened))
    slack.tell(following(Verb.CLOSE, anew))

    (message,) = slack.in_the_channel
    assert anew == Handle(key=f"{CHANNEL}/{message.ts}", replaces=True)
    assert title(message) == "✅ Recovered"
    assert [title(said) for said in slack.replies] == ["✅ Recovered"]


@pytest.mark.parametrize("word", ["edit_window_closed", "cant_update_message"])
def test_a_message_that_can_no_longer_be_edited_is_still_answered(slack: Told, word: str) -> None:
    opened = slack.open()
    slack.stand_in.refuse(word, times=1)

    assert slack.tell(following(Verb.CLOSE, opened)) == opened

    assert [title(each) for each in slack.messages] == ["🔴 Failed", "✅ Recovered"]
    assert slack.replies[0].is_broadcast


def test_an_edit_window_of_the_workspace_is_respected(slack: Told) -> None:
    opened = slack.open()
    slack.stand_in.edit_window = timedelta(0)

    slack.tell(following(Verb.CLOSE, opened))

    assert (slack.messages[0].edits, len(slack.replies)) == ((), 1)


@pytest.mark.parametrize(
    "word",
    ["thread_not_found", "cannot_reply_to_message", "restricted_action_non_threadable_channel"],
)
def test_where_nothing_can_be_said_in_reply_it_is_said_in_the_channel(
    slack: Told, word: str
) -> None:
    opened = slack.open()
    slack.stand_in.refuse("edit_window_closed", times=1)
    slack.stand_in.refuse(word, times=1)

    anew = slack.tell(following(Verb.CLOSE, opened))

    assert [title(each) for each in slack.in_the_channel] == ["🔴 Failed", "✅ Recovered"]
    assert anew.replaces
    assert anew.key != opened.key


def test_a_channel_may_be_named(slack: Told) -> None:
    named = a_bot(base_url=slack.url, channel="#data-alerts")

    opened = slack.tell(an_action(message=PROBLEM), named)
    slack.tell(following(Verb.CLOSE, opened), named)

    (message,) = slack.in_the_channel
    assert (message.channel, title(message)) == (CHANNEL, "✅ Recovered")


def test_an_episode_stays_in_its_channel_whatever_is_configured_since(slack: Told) -> None:
    opened = slack.open()

    slack.tell(following(Verb.CLOSE, opened), a_bot(base_url=slack.url, channel=OTHER))

    assert {each.channel for each in slack.messages} == {CHANNEL}


def test_the_address_of_the_web_api_may_be_written_as_slacks_own_clients_have_it(
    slack: Told,
) -> None:
    slack.tell(an_action(), a_bot(base_url=f"{slack.url}/api/"))

    assert len(slack.messages) == 1


def test_a_link_shows_no_preview(slack: Told) -> None:
    asked: list[Any] = []

    class Recording(Outbound):
        def post_json(self, url: str, body: object, **more: Any) -> Any:
            asked.append(body)
            return super().post_json(url, body, **more)

    slack.bot.deliver(an_action(), Recording())

    assert (asked[0]["unfurl_links"], asked[0]["unfurl_media"]) == (False, False)


# calling people


def test_the_owners_are_called_by_what_is_posted(slack: Told) -> None:
    owners = [Owner(slack=MEMBER), Owner(pagerduty="env:KEY"), Owner(slack=MEMBER)]
    calling = slack.bot.mentioning(owners)

    opened = slack.tell(an_action(message=PROBLEM), calling)
    slack.tell(following(Verb.UPDATE, opened), calling)
    slack.tell(following(Verb.CLOSE, opened), calling)

    assert [each.pings for each in slack.messages] == [(MEMBER,), (MEMBER,), ()]


def test_nobody_is_called_whom_the_owner_map_does_not_have(slack: Told) -> None:
    slack.tell(an_action(message=a_told(headline=f"<@{MEMBER}> <!channel>", text="<!here>")))

    assert slack.messages[0].pings == ()


def test_whom_it_calls_is_no_configuration() -> None:
    written = Slack.model_validate({"webhook_url": "env:URL"})

    calling = written.mentioning([Owner(slack=MEMBER)])

    assert calling.as_written() == written.as_written()
    assert MEMBER in calling.shown(an_action())


# when Slack does not take the blocks


@pytest.mark.parametrize(
    "word", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"]
)
@pytest.mark.parametrize("way", ["bot", "webhook"])
def test_blocks_that_are_refused_are_said_again_as_text(slack: Told, word: str, way: str) -> None:
    slack.stand_in.refuse(word, times=1)

    slack.tell(an_action(message=PROBLEM), getattr(slack, way))

    (message,) = slack.messages
    assert message.blocks == ()
    assert "no such column" in message.shown
    assert "Open the run" in message.shown


def test_an_edit_that_is_refused_for_its_blocks_leaves_none_of_the_former(slack: Told) -> None:
    opened = slack.open()
    slack.stand_in.refuse("invalid_blocks", times=1)

    slack.tell(following(Verb.CLOSE, opened))

    assert slack.messages[0].blocks == ()
    assert "recovered" in slack.messages[0].shown


def test_text_that_is_refused_too_is_given_up(slack: Told) -> None:
    slack.stand_in.refuse("invalid_blocks", times=2)

    with pytest.raises(PermanentFailure, match="invalid_blocks"):
        slack.tell(an_action())

    assert slack.messages == []


def test_text_that_has_to_wait_is_all_that_is_tried_the_next_time(slack: Told) -> None:
    slack.stand_in.refuse("invalid_blocks", times=1)
    slack.stand_in.refuse("ratelimited", times=1)

    with pytest.raises(Unfinished) as raised:
        slack.tell(an_action(message=PROBLEM))
    slack.tell(an_action(message=PROBLEM, so_far=raised.value.so_far))

    assert raised.value.retry_after_s == 1
    assert [each.blocks for each in slack.messages] == [()]


def test_text_that_may_have_arrived_is_not_known_to_have(slack: Told) -> None:
    slack.stand_in.refuse("invalid_blocks", times=1)
    outbound = Outbound()

    class LosingTheSecond(Outbound):
        def post_json(self, url: str, body: object, **more: Any) -> Any:
            if "blocks" not in body:  # type: ignore[operator]
                slack.stand_in.faults.next(Fault("lost"))
            return outbound.post_json(url, body, **more)

    with pytest.raises(UnknownOutcome):
        slack.bot.deliver(an_action(), LosingTheSecond())

    assert len(slack.messages) == 1


# when Slack says no


@pytest.mark.parametrize(
    ("arrange", "fix"),
    [
        (lambda it: it.archived.add(CHANNEL), "unarchive it"),
        (lambda it: it.left.add(CHANNEL), "invite it there"),
        (lambda it: it.scopes.clear(), "lacks the scope chat:write"),
        (lambda it: it.refuse("token_revoked"), "was revoked: install the app again"),
        (lambda it: it.refuse("account_inactive"), "deactivated"),
        (lambda it: it.refuse("restricted_action"), "ask an admin"),
    ],
)
@pytest.mark.parametrize("verb", [Verb.OPEN, Verb.CLOSE])
def test_each_refusal_says_what_mends_it(slack: Told, verb: Verb, arrange: Any, fix: str) -> None:
    opened = slack.open()
    arrange(slack.stand_in)

    with pytest.raises(PermanentFailure, match=fix) as raised:
        slack.tell(replace(an_action(verb), opened=opened))

    assert TOKEN not in str(raised.value)
    assert "Slack refused it" in str(raised.value)


def test_a_channel_that_is_not_there_says_so(slack: Told) -> None:
    with pytest.raises(PermanentFailure, match="knows no such channel"):
        slack.tell(an_action(), a_bot(base_url=slack.url, channel="#nowhere"))


def test_a_wrong_token_is_one_that_is_read_anew(slack: Told) -> None:
    wrong = Slack.model_validate(
        {"bot_token": "env:TOKEN", "channel": CHANNEL, "base_url": slack.url}
    ).with_secrets(lambda _: "xoxb-wrong")

    with pytest.raises(Refused, match="invalid_auth") as raised:
        slack.tell(an_action(), wrong)

    assert raised.value.status == 401
    assert "xoxb-wrong" not in str(raised.value)


@pytest.mark.parametrize("word", ["ratelimited", "internal_error", "service_unavailable"])
@pytest.mark.parametrize("verb", [Verb.OPEN, Verb.CLOSE])
def test_what_may_pass_is_tried_again_later(slack: Told, verb: Verb, word: str) -> None:
    opened = slack.open()
    slack.stand_in.refuse(word)

    with pytest.raises(Busy, match=word):
        slack.tell(replace(an_action(verb), opened=opened))


def test_a_reply_that_has_to_wait_is_given_the_next_time_and_the_edit_repeated(
    slack: Told,
) -> None:
    opened = slack.open()
    slack.stand_in.faults.next(Fault("answer", status=503, path="postMessage"))

    with pytest.raises(TemporaryFailure):
        slack.tell(following(Verb.CLOSE, opened))
    slack.tell(following(Verb.CLOSE, opened))

    assert [len(slack.messages[0].edits), len(slack.replies)] == [2, 1]


def test_an_edit_whose_answer_is_lost_is_repeated_at_once(slack: Told) -> None:
    opened = slack.open()
    slack.stand_in.faults.next(Fault("lost", path="chat.update"))

    slack.tell(following(Verb.CLOSE, opened))

    assert [len(slack.messages[0].edits), len(slack.replies)] == [2, 1]


def test_slacks_pace_is_kept_by_one_post_a_delivery() -> None:
    clock = Clock()
    names = {CHANNEL: "data-alerts"}
    stand_in = StandIn(token=TOKEN, channels=names, webhook_path=PATH, clock=clock)
    with serve(stand_in.app) as url:
        bot, outbound = a_bot(base_url=url), Outbound()
        opened = bot.deliver(an_action(), outbound)
        clock.passes(1)
        bot.deliver(following(Verb.UPDATE, opened), outbound)

        with pytest.raises(Busy) as raised:
            bot.deliver(following(Verb.CLOSE, opened), outbound)

    assert raised.value.retry_after_s == 1
    assert Slack.paces == ((1, timedelta(seconds=1.2)),)


# what the page shows


def test_the_page_shows_an_alert_as_people_see_it(slack: Told) -> None:
    slack.open()

    assert slack.messages[0].shown in PAGE.read_text(encoding="utf-8")


class Looked:
    """A Slack that serves and tells of channels, and what a look at a destination there shows."""

    def __init__(self, url: str, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.stand_in.scopes |= {"channels:read", "groups:read"}
        self._url = url

    def at(self, channel: str = CHANNEL) -> Examined:
        return a_bot(base_url=self._url, channel=channel).examine(Outbound())

    def refusal(self, channel: str = CHANNEL) -> str:
        with pytest.raises(Refused) as raised:
            self.at(channel)
        return str(raised.value)


@pytest.fixture
def looked() -> Iterator[Looked]:
    stand_in = a_stand_in()
    with serve(stand_in.app) as url:
        yield Looked(url, stand_in)


def test_a_look_says_that_the_bot_is_in_its_channel(looked: Looked) -> None:
    assert looked.at() == Examined("the bot afterrun in Teahouse is in the channel #data-alerts")
    assert looked.stand_in.messages == []


def test_a_look_without_the_scope_to_look_says_what_is_unseen(looked: Looked) -> None:
    looked.stand_in.scopes = {"chat:write"}

    assert looked.at() == Examined(
        f"the token is of the bot afterrun in Teahouse; unseen: whether it is in {CHANNEL}"
    )


def test_a_look_at_a_channels_name_says_what_is_unseen(looked: Looked) -> None:
    assert looked.at("#data-alerts").said.endswith("unseen: whether it is in #data-alerts")


def test_a_bot_that_is_not_in_its_channel_cannot_post(looked: Looked) -> None:
    looked.stand_in.left.add(CHANNEL)

    assert "/invite" in looked.refusal()


def test_a_bot_that_may_post_anywhere_needs_no_invitation(looked: Looked) -> None:
    looked.stand_in.left.add(CHANNEL)
    looked.stand_in.scopes.add("chat:write.public")

    assert looked.at().said.endswith("may post in the channel #data-alerts")


def test_to_post_anywhere_is_to_post_in_no_private_channel(looked: Looked) -> None:
    looked.stand_in.scopes.add("chat:write.public")
    looked.stand_in.left.add(CHANNEL)
    looked.stand_in.private.add(CHANNEL)

    assert "invite the bot if the channel is private" in looked.refusal()


def test_a_bot_in_its_private_channel_is_well(looked: Looked) -> None:
    looked.stand_in.private.add(CHANNEL)

    assert looked.at().said.endswith("is in the channel #data-alerts")


def test_a_look_at_an_archived_channel_says_so(looked: Looked) -> None:
    looked.stand_in.archived.add(CHANNEL)

    assert "archived" in looked.refusal()


def test_a_look_at_a_channel_that_is_not_there_says_so(looked: Looked) -> None:
    assert "it knows no such channel" in looked.refusal("C0000000000")


def test_a_token_that_may_not_post_is_refused_before_a_message_is(looked: Looked) -> None:
    looked.stand_in.scopes = {"channels:read"}

    assert "lacks the scope chat:write" in looked.refusal()


def test_a_webhook_is_not_tried_and_its_host_is() -> None:
    stand_in = a_stand_in()
    with serve(stand_in.app) as url:
        found = a_webhook(base_url=url).examine(Outbound())

    assert found == Examined("127.0.0.1 answers; untried: the webhook", is_tried=False)
    assert stand_in.messages == []


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        ("xoxb-1", ""),
        ("xoxe.xoxb-1", ""),
        ("xoxp-a-users", "begins with xoxb-"),
        (f"https://hooks.slack.com{PATH}", "begins with xoxb-"),
    ],
)
def test_what_is_no_bot_token_is_recognised(kept: str, why: str) -> None:
    bot = Slack.model_validate({"bot_token": "env:T", "channel": CHANNEL})

    said = bot.with_secrets(lambda _: kept).misfit("bot_token")

    assert (why in said, bool(said)) == (True, bool(why))


@pytest.mark.parametrize(
    "kept",
    ["xoxb-1", "https://hooks.slack.com/triggers/T/1/x", "http://hooks.slack.com/services/T"],
)
def test_what_is_no_incoming_webhook_is_recognised(kept: str) -> None:
    webhook = Slack.model_validate({"webhook_url": "env:U"}).with_secrets(lambda _: kept)

    assert webhook.misfit("webhook_url")
    assert kept not in webhook.misfit("webhook_url")
