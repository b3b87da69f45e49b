"""afterrun dead-letters: what was refused for good, looked at and dealt with again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.commands.dead_letters import show_list
from cli.dead_letters import words
from cli.exits import Exit
from lab import queue
from lab.faults import Fault
from lab.pubsub.server import PubSub, Running
from lab.queue import Queue
from shared.event import Content
from subscriber import dead_letter
from subscriber.dead_letter import DeadLetter, Message
from subscriber.dead_letter_box import Listing
from subscriber.dead_letters import PubsubDeadLetters
from tests.builders import NOW, Clock, an_action
from tests.cli.golden import is_golden
from tests.cli.nights import Night, on_sqlite
from tests.cli.running import Ran, afterrun
from tests.lab.pubsub.clients import QUICK

MEND = "gcloud pubsub subscriptions"


@dataclass
class Post:
    """A Pub/Sub with the dead letters of a night, and a command line that knows of both."""

    night: Night
    where: str
    queue: Queue
    server: Running

    def run(self, *arguments: str, answers: str = "") -> Ran:
        environ = {
            "PUBSUB_EMULATOR_HOST": self.server.host,
            "GOOGLE_CLOUD_PROJECT": "lab",
            "LEDGER": self.where,
        }
        return afterrun("dead-letters", *arguments, environ=environ, answers=answers)

    def letters(self) -> dict[str, str]:
        """The ids, by what each letter is about."""
        return {each["about"]: each["id"] for each in self.run("list", "--json").data}


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    with PubSub(limits=QUICK).running() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
        with queue.connected(server.host, "lab", signed=False) as made:
            made.create_topics()
            night, where = on_sqlite(tmp_path, Clock(datetime.now(UTC) - timedelta(hours=1)))
            night.story.dead_letters = PubsubDeadLetters(  # type: ignore[assignment]
                lambda: made.dead_letters
            )
            yield Post(night, where, made, server)


def test_a_refused_alert_is_listed_shown_and_goes_out_when_it_is_replayed(post: Post) -> None:
    post.night.is_refused_by_people()

    listed = post.run("list")
    id_ = listed.out.splitlines()[2].split()[0]
    shown = post.run("show", id_)
    would = post.run("replay", id_, "--dry-run")
    again = post.run("replay", id_)

    assert listed.code == shown.code == would.code == again.code == 0
    assert "people open" in listed.out
    assert "invite the app" in listed.out
    assert "Daily build failed in Production" in shown.out
    assert "→ What led to it: afterrun event 1/people/job/7/300/open/1" in shown.out
    assert f"{id_}  people open  would be reopened: due again now" in would.out
    assert f"{id_}  people open  reopened: due again now" in again.out
    assert post.run("list").out.startswith("No dead letters: nothing was refused for good")
    post.night.clock.now = datetime.now(UTC)
    post.night.story.ticks(after_s=1)
    assert post.night.story.people.verbs() == ["open afterrun/1/job/7/300"]


def test_all_are_replayed_only_when_somebody_says_so(post: Post) -> None:
    post.night.is_refused_by_people().is_unreadable()

    no = post.run("replay", "--all", answers="n\n")
    yes = post.run("replay", "--all", "--yes")

    assert (no.code, yes.code) == (Exit.FOUND, 0)
    assert "1 would be reopened, 1 would be published again" in no.out
    assert "Replay 2 letters? [y/N]" in no.err
    assert "Nothing was done." in no.err
    assert yes.out.splitlines()[-1] == "1 reopened, 1 published"


def test_what_cannot_be_replayed_ends_with_one(post: Post) -> None:
    post.night.is_refused_by_people()
    (id_,) = post.letters().values()

    ran = post.run("replay", id_, "404", "--json")

    assert ran.code == Exit.FOUND
    assert [each["outcome"] for each in ran.data] == ["reopened", "not found"]


def test_a_letter_that_is_not_there_is_refused(post: Post) -> None:
    ran = post.run("show", "404")

    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert "no dead letter has the id 404" in ran.err


def test_without_a_subscription_it_says_how_to_make_it(post: Post) -> None:
    name = post.queue.subscription("dbt-cloud-events-dead-letters")
    post.queue.subscriber.delete_subscription(subscription=name)

    ran = post.run("list")

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert f"Create it: {MEND} create {name}" in ran.err


def test_without_the_right_to_look_it_says_how_to_give_it(post: Post) -> None:
    post.server.faults.next(Fault("answer", status=403, path="/GetSubscription"))

    ran = post.run("list")

    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert f"{MEND} add-iam-policy-binding" in ran.err


def test_to_replay_takes_the_ledger_of_the_subscriber(post: Post) -> None:
    ran = post.run("replay", "1")

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert "there is no file" in ran.err


def test_ids_and_all_are_not_said_together(post: Post) -> None:
    assert post.run("replay").code == Exit.USAGE
    assert post.run("replay", "1", "--all").code == Exit.USAGE


def test_data_is_what_it_holds_and_nothing_else(post: Post) -> None:
    post.night.is_refused_by_people()
    (id_,) = post.letters().values()

    assert json.loads(post.run("show", id_, "--data").out)["destination"] == "people"


# what is said of letters


def a_letter(**attributes: str) -> DeadLetter:
    return dead_letter.read(Message("765", NOW, b"", attributes))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            {
                "content": "action",
                "action": "1/o/job/7/1/open/1",
                "destination": "o",
                "verb": "open",
            },
            "o open",
        ),
        ({"content": "event", "event": "1/event/wev_1"}, "event wev_1"),
        ({"content": Content.UNREADABLE, "event_id": "wev_2"}, "unreadable wev_2"),
        ({}, "unreadable"),
        ({"CloudPubSubDeadLetterSourceSubscription": "s"}, "undelivered"),
    ],
)
def test_a_letter_is_about(attributes: dict[str, str], said: str) -> None:
    assert words.about(a_letter(**attributes)) == said


def test_an_action_is_read_as_people_would_have() -> None:
    data = json.dumps(an_action().body()).encode()
    letter = a_letter(content="action", action="1/oncall/job/7/100/open/1")

    text = words.content(letter, data)

    assert text.startswith("Daily build failed in Production: model orders: no such column\n")
    assert "model orders (error)\n  Database Error in model orders" in text
    assert "Open the run: https://cloud.getdbt.com/deploy/1/projects/9/runs/100" in text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello", "hello"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"a": 1}', '{\n  "a": 1\n}'),
        (b'{"verb": "sing", "message": {"nodes": []}}', '"verb": "sing"'),
        (b"[" * 100_000, "[["),
        (b"", ""),
    ],
)
def test_anything_can_be_shown(data: bytes, said: str) -> None:
    assert said in words.content(a_letter(content="action", action="k"), data)


@pytest.mark.parametrize("columns", [80, 40])
def test_a_list_reads_well(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    found = [
        Message("7650945832110", NOW - timedelta(days=2, hours=3), b"{}", _REFUSED),
        Message("7650945832111", NOW - timedelta(minutes=5), b"x", {"reason": "not a JSON object"}),
    ]

    show_list(Listing([dead_letter.read(each) for each in found], more=False), NOW)

    assert is_golden(f"dead-letters.{columns}.txt", capsys.readouterr().out)


_REFUSED = {
    "content": "action",
    "action": "1/data-alerts/job/7/100/open/1",
    "destination": "data-alerts",
    "verb": "open",
    "reason": "slack.com answered channel_not_found: invite the app to the channel",
}
