from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from lab.faults import Fault
from lab.serve import serve
from lab.slack import Slack
from lab.timeline import Timeline
from tests.builders import Clock

TOKEN = "xoxb-0123456789-abcdef"
PATH = "/services/T012AB3CD/B012AB3CD/a-secret"
ALERTS, OTHER = "C012AB3CD", "C998877665"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*orders* failed"}}


class Service:
    """A Slack that serves, and how to tell it something."""

    def __init__(self, url: str, slack: Slack, clock: Clock, timeline: Timeline) -> None:
        self.url, self.slack, self.clock, self.timeline = url, slack, clock, timeline

    def hook(self, body: Any, path: str = PATH) -> requests.Response:
        return requests.post(f"{self.url}{path}", json=body, timeout=5)

    def call(self, method: str, *, token: str = TOKEN, **told: Any) -> requests.Response:
        return requests.post(
            f"{self.url}/api/{method}",
            json=told,
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json; charset=utf-8",
            },
            timeout=5,
        )

    def post(self, **told: Any) -> Any:
        return self.call("chat.postMessage", **{"channel": ALERTS, "text": "failed", **told}).json()

    def edit(self, ts: str, **told: Any) -> Any:
        answer = self.call("chat.update", **{"channel": ALERTS, "ts": ts, "text": "failed", **told})
        return answer.json()

    def posted(self, **told: Any) -> str:
        """The `ts` of a message that is there from now on."""
        ts = str(self.post(**told)["ts"])
        self.clock.passes(1)
        return ts


@pytest.fixture
def service() -> Iterator[Service]:
    clock, timeline = Clock(), Timeline()
    slack = Slack(
        token=TOKEN,
        channels={ALERTS: "data-alerts", OTHER: "other"},
        webhook_path=PATH,
        timeline=timeline,
        clock=clock,
    )
    with serve(slack.app) as url:
        yield Service(url, slack, clock, timeline)


def refused(word: str, **details: Any) -> dict[str, Any]:
    return {"ok": False, "error": word, **details}


def test_a_webhook_posts_to_its_channel_and_answers_nothing_but_ok(service: Service) -> None:
    answer = service.hook({"text": "orders failed"})

    assert (answer.status_code, answer.text) == (200, "ok")
    assert answer.headers["content-type"].startswith("text/plain")
    (message,) = service.slack.messages
    assert (message.channel, message.text, message.is_by_webhook) == (ALERTS, "orders failed", True)


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/services/T999/B012AB3CD/a-secret", 404, "no_team"),
        ("/services/T012AB3CD/B999/a-secret", 404, "no_service"),
        ("/services/T012AB3CD/B012AB3CD/wrong", 403, "invalid_token"),
        ("/services/T012AB3CD/B012AB3CD", 404, "no_service"),
        (f"{PATH}/more", 404, "no_service"),
    ],
)
def test_a_webhook_that_was_not_given_out_is_not_there(
    service: Service, path: str, status: int, word: str
) -> None:
    answer = service.hook({"text": "orders failed"}, path)

    assert (answer.status_code, answer.text) == (status, word)
    assert service.slack.messages == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ([], "invalid_payload"),
        ({"text": 7}, "invalid_payload"),
        ({"text": "a", "blocks": {}}, "invalid_blocks"),
        ({"text": "a", "blocks": [{"type": "banner"}]}, "invalid_blocks"),
    ],
)
def test_a_webhook_refuses_what_is_no_message(service: Service, body: Any, word: str) -> None:
    answer = service.hook(body)

    assert (answer.status_code, answer.text) == (400, word)


def test_a_webhook_takes_what_is_said_to_be_json(service: Service) -> None:
    form = requests.post(f"{service.url}{PATH}", data={"payload": "{}"}, timeout=5)
    broken = requests.post(
        f"{service.url}{PATH}", data="{", headers={"Content-Type": "application/json"}, timeout=5
    )

    assert [answer.text for answer in (form, broken)] == ["invalid_payload"] * 2


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("invalid_payload", 400),
        ("user_not_found", 400),
        ("action_prohibited", 403),
        ("no_service", 404),
        ("channel_is_archived", 410),
        ("rollup_error", 500),
    ],
)
def test_a_webhook_refuses_in_each_way_that_there_is(
    service: Service, word: str, status: int
) -> None:
    service.slack.refuse(word)

    answer = service.hook({"text": "orders failed"})

    assert (answer.status_code, answer.text) == (status, word)


def test_a_webhook_into_an_archived_channel_is_refused(service: Service) -> None:
    service.slack.archived.add(ALERTS)

    answer = service.hook({"text": "orders failed"})

    assert (answer.status_code, answer.text) == (410, "channel_is_archived")


def test_a_message_is_posted_and_answered_with_what_names_it(service: Service) -> None:
    answer = service.post(text="orders failed", blocks=[SECTION])

    (message,) = service.slack.messages
    assert answer["ok"] is True
    assert (answer["channel"], answer["ts"]) == (ALERTS, message.ts)
    assert answer["message"]["text"] == message.text == "orders failed"
    assert answer["message"]["blocks"] == [*message.blocks] == [SECTION]


@pytest.mark.parametrize("name", ["data-alerts", "#data-alerts", ALERTS])
def test_a_message_is_posted_by_the_channels_id_or_name(service: Service, name: str) -> None:
    assert service.post(channel=name)["channel"] == ALERTS


def test_messages_have_different_names(service: Service) -> None:
    assert service.posted() != service.posted()


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "not_authed"),
        ({"Authorization": "Bearer "}, "not_authed"),
        ({"Authorization": f"Basic {TOKEN}"}, "not_authed"),
        ({"Authorization": f"Bearer {TOKEN}x"}, "invalid_auth"),
    ],
)
def test_a_token_is_needed_and_looked_at(
    service: Service, headers: dict[str, str], word: str
) -> None:
    answer = requests.post(
        f"{service.url}/api/chat.postMessage",
        json={"channel": ALERTS, "text": "a", "token": TOKEN},
        headers=headers,
        timeout=5,
    )

    assert (answer.status_code, answer.json()) == (200, refused(word))


@pytest.mark.parametrize("word", ["token_revoked", "account_inactive", "token_expired"])
def test_a_token_that_is_over_is_refused_until_it_is_not(service: Service, word: str) -> None:
    service.slack.refuse(word)
    assert [service.post(), service.edit("1.1")] == [refused(word)] * 2

    service.slack.refuse("")
    assert service.post()["ok"]


def test_a_refusal_can_be_for_once(service: Service) -> None:
    service.slack.refuse("internal_error", times=1)

    assert [service.post().get("error") for _ in range(2)] == ["internal_error", None]


def test_a_scope_that_is_missing_is_named(service: Service) -> None:
    service.slack.scopes = {"incoming-webhook", "chat:write.public"}

    assert service.post() == refused(
        "missing_scope", needed="chat:write", provided="chat:write.public,incoming-webhook"
    )


def test_an_unknown_method_is_refused(service: Service) -> None:
    assert service.call("chat.delete").json() == refused("unknown_method")


def test_a_channel_that_is_not_there_is_not_found(service: Service) -> None:
    assert service.post(channel="#nowhere") == refused("channel_not_found")


def test_an_archived_channel_takes_nothing_more(service: Service) -> None:
    ts = service.posted()
    service.slack.archived.add(ALERTS)

    assert service.post() == refused("is_archived")
    assert service.edit(ts) == refused("is_inactive")


def test_a_bot_posts_where_it_is_or_with_the_scope_for_everywhere(service: Service) -> None:
    service.slack.left.add(ALERTS)
    assert service.post() == refused("not_in_channel")

    service.slack.scopes.add("chat:write.public")
    assert service.post()["ok"]


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"text": None}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"channel": None}, "invalid_arguments"),
        ({"channel": 7}, "invalid_arguments"),
        ({"text": ["a"]}, "invalid_arguments"),
        ({"thread_ts": 1503435956.000247}, "invalid_arguments"),
        ({"blocks": "[]"}, "invalid_blocks_format"),
        ({"blocks": [{"type": "header"}]}, "invalid_blocks"),
    ],
)
def test_what_is_no_message_is_refused(service: Service, told: Any, word: str) -> None:
    assert service.post(**told)["error"] == word
    assert service.slack.messages == []


def test_blocks_that_are_wrong_are_named(service: Service) -> None:
    error = "must be a string [json-pointer:/blocks/0/text]"

    assert service.post(blocks=[{"type": "markdown"}]) == refused(
        "invalid_blocks",
        errors=[error],
        response_metadata={"messages": [f"[ERROR] {error}"]},
    )


def test_blocks_may_have_about_thirteen_kilobytes(service: Service) -> None:
    longest = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_000}}

    assert service.post(blocks=[longest] * 4)["ok"]
    service.clock.passes(1)
    assert service.post(blocks=[longest] * 5) == refused("msg_blocks_too_long")


def test_a_text_is_cut_when_it_is_posted_and_refused_when_it_is_edited(service: Service) -> None:
    ts = service.posted(text="x" * 40_001)

    assert service.slack.messages[0].text == "x" * 40_000
    assert service.edit(ts, text="x" * 4_001) == refused("msg_too_long")
    assert service.edit(ts, text="x" * 4_000)["ok"]


@pytest.mark.parametrize(
    ("body", "content_type", "word"),
    [
        ("{", "application/json", "invalid_json"),
        ("[]", "application/json", "json_not_object"),
        ("channel=a", "application/x-www-form-urlencoded", "invalid_post_type"),
        ("{}", "", "invalid_post_type"),
    ],
)
def test_arguments_are_a_json_object(
    service: Service, body: str, content_type: str, word: str
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type}
    url = f"{service.url}/api/chat.postMessage"

    answer = requests.post(url, data=body, headers=headers, timeout=5)

    assert answer.json() == refused(word)


def test_json_that_does_not_name_its_charset_is_warned_of(service: Service) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{service.url}/api/chat.postMessage"

    answer = requests.post(
        url, json={"channel": ALERTS, "text": "a"}, headers=headers, timeout=5
    ).json()

    assert (answer["ok"], answer["warning"]) == (True, "missing_charset")


def test_a_reply_stands_in_the_thread_of_its_parent(service: Service) -> None:
    parent = service.posted()

    answer = service.post(text="recovered", thread_ts=parent, reply_broadcast=True)

    (reply,) = service.slack.thread(parent)
    assert answer["message"]["thread_ts"] == reply.thread == parent
    assert reply.is_broadcast


def test_a_reply_needs_a_parent_that_is_there_and_no_reply_itself(service: Service) -> None:
    parent = service.posted()
    reply = service.posted(thread_ts=parent)
    elsewhere = service.posted(channel=OTHER)

    for ts in ("1503435956.000247", reply, elsewhere):
        assert service.post(thread_ts=ts) == refused("thread_not_found")


def test_a_reply_to_what_is_gone_may_also_end_up_in_the_channel(service: Service) -> None:
    parent = service.posted()
    service.slack.delete(parent)
    service.slack.unthreads = True

    answer = service.post(thread_ts=parent, reply_broadcast=True)

    assert "thread_ts" not in answer["message"]
    assert [(m.thread, m.is_broadcast) for m in service.slack.messages] == [("", False)]


def test_an_edit_changes_what_a_message_says_and_is_kept(service: Service) -> None:
    ts = service.posted(text="failed", blocks=[SECTION])

    answer = service.edit(ts, text="recovered", blocks=[])

    (message,) = service.slack.messages
    assert (answer["ok"], answer["channel"], answer["ts"]) == (True, ALERTS, ts)
    assert answer["text"] == answer["message"]["text"] == message.text == "recovered"
    assert [said.text for said in message.edits] == ["recovered"]
    assert (message.said[0].text, message.blocks) == ("failed", ())


def test_an_edit_that_names_no_blocks_leaves_them(service: Service) -> None:
    ts = service.posted(blocks=[SECTION])

    service.edit(ts, text="recovered")

    assert service.slack.messages[0].blocks == (SECTION,)


def test_an_edit_wants_the_channels_id(service: Service) -> None:
    ts = service.posted()

    for name in ("#data-alerts", "data-alerts"):
        assert service.edit(ts, channel=name) == refused("channel_not_found")


def test_only_a_message_that_is_there_can_be_edited(service: Service) -> None:
    ts = service.posted()

    assert service.edit(ts, channel=OTHER) == refused("message_not_found")
    service.slack.delete(ts)
    assert service.edit(ts) == refused("message_not_found")


def test_what_a_webhook_posted_cannot_be_edited(service: Service) -> None:
    service.hook({"text": "failed"})

    assert service.edit(service.slack.messages[0].ts) == refused("cant_update_message")


def test_a_message_can_be_edited_until_the_window_closes(service: Service) -> None:
    service.slack.edit_window = timedelta(minutes=5)
    ts = str(service.post()["ts"])

    service.clock.passes(300)
    assert service.edit(ts)["ok"]
    service.clock.passes(1)
    assert service.edit(ts) == refused("edit_window_closed")


def test_a_channel_takes_one_message_a_second(service: Service) -> None:
    def post(channel: str) -> requests.Response:
        return service.call("chat.postMessage", channel=channel, text="a")

    assert [post(ALERTS).status_code, post(OTHER).status_code] == [200, 200]
    service.clock.passes(0.4)
    again = post(ALERTS)

    assert (again.status_code, again.headers["Retry-After"]) == (429, "1")
    assert again.json() == refused("ratelimited")
    service.clock.passes(1)
    assert post(ALERTS).json()["ok"]


def test_a_webhook_shares_the_pace_of_its_channel(service: Service) -> None:
    service.post()

    answer = service.hook({"text": "a"})

    assert (answer.status_code, answer.text) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == "1"


def test_what_was_refused_does_not_count_towards_the_pace(service: Service) -> None:
    service.post(blocks=[{"type": "banner"}])

    assert service.post()["ok"]


def test_edits_have_a_pace_of_their_own(service: Service) -> None:
    ts = str(service.post()["ts"])

    assert all(service.edit(ts)["ok"] for _ in range(50))
    assert service.edit(ts) == refused("ratelimited")


def test_an_edit_pings_nobody(service: Service) -> None:
    ts = service.posted(text="<@U012AB3CD>")

    service.edit(ts, text="<!channel>")

    (message,) = service.slack.messages
    assert message.pings == ("U012AB3CD",)
    assert message.edits[0].mentions == ("channel",)


def test_a_fault_happens_before_anything_is_looked_at(service: Service) -> None:
    service.slack.faults.next(Fault("answer", status=503))

    assert service.call("chat.postMessage").status_code == 503
    assert service.slack.messages == []


def test_the_timeline_shows_what_people_see(service: Service) -> None:
    ts = service.posted(text="orders failed")
    service.posted(text="customers too", thread_ts=ts)
    service.edit(ts, text="recovered")
    service.post(channel="#nowhere")
    service.hook({})

    assert [(moment.side, moment.what) for moment in service.timeline.moments] == [
        ("Slack", "message in #data-alerts: orders failed"),
        ("Slack", "reply in #data-alerts: customers too"),
        ("Slack", "edited in #data-alerts: recovered"),
        ("Slack", "chat.postMessage refused: channel_not_found"),
        ("Slack", "webhook refused: no_text"),
    ]
    assert service.timeline.moments[1].facts["thread"] == ts
