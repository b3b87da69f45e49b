"""`afterrun webhooks rotate`: at no moment is a live webhook's event refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.webhooks import connecting, places, rotating
from cli.webhooks.rotating import Rotation
from lab.dbt_cloud.subscriptions import Subscription
from lab.faults import Fault
from lab.secrets import ACCESS
from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure
from subscriber.dbt_cloud import webhooks as client
from subscriber.dbt_cloud.webhook_log import SentEvent
from subscriber.dbt_cloud.webhooks import Webhooks
from tests.cli.webhooks.side import PLACE, Side

SECOND = "secret:dbt-webhook-2"


class Steps:
    """Rotates without waiting; `meanwhile` happens whenever it would wait."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.told: list[str] = []
        self.waited: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def rotate(
        self,
        id_: str,
        secret: str = SECOND,
        *,
        force: bool = False,
        webhooks: Webhooks | None = None,
    ) -> client.Subscription:
        connected = connecting.connected(self.side.environ, connecting.Wanted())
        rotation = Rotation(
            webhooks or connected,
            places.place(secret, self.side.environ),
            self.told.append,
            self._pause,
        )
        return rotation.rotate(id_, force=force)

    def _pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.meanwhile()


class Interrupted(Webhooks):
    """The webhooks of an account, until the process is killed in one of the calls."""

    def __init__(self, webhooks: Webhooks, call: str, *, after: bool) -> None:
        super().__init__(webhooks.admin, webhooks.account_id)
        object.__setattr__(self, "_call", call)
        object.__setattr__(self, "_after", after)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name != super().__getattribute__("_call"):
            return found

        def killed(*arguments: Any) -> None:
            if super(Interrupted, self).__getattribute__("_after"):
                found(*arguments)
            raise Killed

        return killed


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def steps(side: Side) -> Steps:
    return Steps(side)


@pytest.fixture
def former(side: Side) -> Subscription:
    """A live webhook whose receiver refers to a second place as well."""
    webhook = side.made(PLACE, "--events", "completed", "--jobs", str(side.cloud.job.id))
    side.receiver.places.append(SECOND)
    side.tell()
    return webhook


def test_another_webhook_with_another_secret_takes_its_place(
    side: Side, steps: Steps, former: Subscription
) -> None:
    now = steps.rotate(former.id)

    (left,) = side.all
    assert left.id == now.id != former.id
    assert left.wanted.client_url == former.wanted.client_url
    assert left.wanted.event_types == former.wanted.event_types
    assert left.wanted.job_ids == former.wanted.job_ids
    assert side.secrets.values("dbt-webhook-2") == [left.secret]
    assert side.secrets.values("dbt-webhook") == [former.secret]


def test_no_event_of_either_is_refused_before_between_and_after(
    side: Side, steps: Steps, former: Subscription
) -> None:
    sent: list[int] = []

    def told(step: str) -> None:
        # whatever the moment, a run ends and all that are live tell it
        side.tell()
        sent.append(len(side.all))

    rotation = Rotation(
        connecting.connected(side.environ, connecting.Wanted()),
        places.place(SECOND, side.environ),
        told,
        steps._pause,
    )

    rotation.rotate(former.id)
    side.tell()

    assert sent == [1, 2, 2]
    assert side.receiver.refused == []
    assert [event.status for event in _events(side)] == [202] * 4


def test_each_rotation_can_use_the_place_that_the_one_before_left(
    side: Side, steps: Steps, former: Subscription
) -> None:
    second = steps.rotate(former.id)
    third = steps.rotate(second.id, PLACE)

    assert [each.id for each in side.all] == [third.id]
    assert side.secrets.values("dbt-webhook") == [former.secret, side.all[0].secret]
    assert side.all[0].wanted.description == f"[in place of {second.id}]"


def test_files_are_places_too(side: Side, steps: Steps, tmp_path: Path) -> None:
    first, second = f"file:{tmp_path}/a", f"file:{tmp_path}/b"
    former = side.made(first)
    side.receiver.places.append(second)

    now = steps.rotate(former.id, second)
    with pytest.raises(Mistake, match="overwrite it with --force"):
        steps.rotate(now.id, first)
    steps.rotate(now.id, first, force=True)

    assert (tmp_path / "a").read_text() == side.all[0].secret
    assert side.receiver.refused == []


@pytest.mark.parametrize("force", [True, False])
def test_the_place_of_the_live_secret_is_never_taken(
    side: Side, steps: Steps, former: Subscription, *, force: bool
) -> None:
    with pytest.raises(Mistake, match=f"the secret that {former.id} signs with"):
        steps.rotate(former.id, PLACE, force=force)

    assert side.secrets.values("dbt-webhook") == [former.secret]
    assert side.all == [former]


def test_a_webhook_that_has_sent_nothing_is_tested_to_see_which_secret_is_its(
    side: Side, steps: Steps
) -> None:
    former = side.made()

    with pytest.raises(Mistake, match=f"the secret that {former.id} signs with"):
        steps.rotate(former.id, PLACE)


def test_a_place_that_cannot_be_read_is_taken_only_when_told_to(
    side: Side, steps: Steps, former: Subscription
) -> None:
    side.secrets.put("dbt-webhook-2", "whose?")
    side.secrets.withheld = {ACCESS}

    with pytest.raises(Mistake, match="nothing shows whether"):
        steps.rotate(former.id)

    assert steps.rotate(former.id, force=True).id == side.all[0].id


def test_a_receiver_that_does_not_know_the_place_keeps_both_and_says_what_it_needs(
    side: Side, steps: Steps, former: Subscription
) -> None:
    side.receiver.places.remove(SECOND)

    with pytest.raises(PermanentFailure) as raised:
        steps.rotate(former.id)

    assert "WEBHOOK_SECRETS must list secret:dbt-webhook-2 beside" in str(raised.value)
    assert "run the same command again" in str(raised.value)
    assert former in side.all
    assert sum(steps.waited) >= 30, "a receiver reads its secrets anew every 30 s only"


def test_it_goes_on_once_the_receiver_knows_the_place(
    side: Side, steps: Steps, former: Subscription
) -> None:
    side.receiver.places.remove(SECOND)
    with pytest.raises(PermanentFailure):
        steps.rotate(former.id)
    successor = side.all[-1]

    side.receiver.places.append(SECOND)
    steps.rotate(former.id)

    assert side.all == [successor]
    assert side.secrets.values("dbt-webhook-2") == [successor.secret]


def test_a_receiver_that_reads_its_secrets_late_is_waited_for(
    side: Side, steps: Steps, former: Subscription
) -> None:
    side.receiver.places.remove(SECOND)
    steps.meanwhile = lambda: side.receiver.places.append(SECOND)

    steps.rotate(former.id)

    assert steps.waited == [rotating.PAUSES_S[0]]
    assert len(side.all) == 1


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (Fault("answer", status=503), TemporaryFailure),
        (Fault("cut"), TemporaryFailure),
        (Fault("answer", status=404), PermanentFailure),
    ],
)
def test_a_receiver_in_trouble_keeps_both(
    side: Side,
    steps: Steps,
    former: Subscription,
    fault: Fault,
    failure: type[Failure],
) -> None:
    side.receiver.faults.always(fault)

    with pytest.raises(failure, match="Nothing was deleted"):
        steps.rotate(former.id)

    assert former in side.all


@pytest.mark.parametrize(
    ("call", "after"),
    [
        ("create", False),
        ("create", True),
        ("test", False),
        ("test", True),
        ("delete", False),
        ("delete", True),
    ],
)
def test_whenever_it_is_killed_it_goes_on_when_it_is_run_again(
    side: Side, steps: Steps, former: Subscription, call: str, *, after: bool
) -> None:
    connected = connecting.connected(side.environ, connecting.Wanted())
    with pytest.raises(Killed):
        steps.rotate(former.id, webhooks=Interrupted(connected, call, after=after))
    side.tell()

    now = steps.rotate(former.id)
    side.tell()

    assert [each.id for each in side.all] == [now.id]
    assert side.secrets.values("dbt-webhook-2")[-1] == side.all[0].secret
    # the one whose secret was lost, if there was one, was never the only one
    assert all(body["webhookId"] != former.id for body in side.receiver.refused)
    assert side.receiver.taken[-1]["webhookId"] == now.id


def test_run_again_when_all_is_done_it_says_so(
    side: Side, steps: Steps, former: Subscription
) -> None:
    now = steps.rotate(former.id)

    assert steps.rotate(former.id).id == now.id
    assert steps.told[-1] == f"{former.id} is gone: {now.id} took its place before"
    assert len(side.all) == 1


def test_what_was_changed_of_the_former_meanwhile_is_changed_of_the_second(
    side: Side, steps: Steps, former: Subscription
) -> None:
    side.receiver.places.remove(SECOND)
    with pytest.raises(PermanentFailure):
        steps.rotate(former.id)
    assert side.run("update", former.id, "--events", "completed,errored", "--all-jobs").code == 0

    side.receiver.places.append(SECOND)
    steps.rotate(former.id)

    (left,) = side.all
    assert left.wanted.event_types == ("job.run.completed", "job.run.errored")
    assert left.wanted.job_ids == ()


def test_a_test_that_is_not_signed_shows_nothing_until_a_real_event_was_taken(
    side: Side, steps: Steps, former: Subscription
) -> None:
    side.cloud.subscriptions.signs_tests = False
    with pytest.raises(PermanentFailure, match="did not sign it"):
        steps.rotate(former.id)
    assert former in side.all

    side.tell()
    now = steps.rotate(former.id)

    assert [each.id for each in side.all] == [now.id]


def test_a_test_that_says_its_answer_only_is_enough(
    side: Side, steps: Steps, former: Subscription
) -> None:
    side.cloud.tests_say = "answer"

    steps.rotate(former.id)

    assert len(side.all) == 1


def test_a_deactivated_webhook_is_not_rotated(side: Side, steps: Steps) -> None:
    former = side.had(active=False)

    with pytest.raises(Mistake, match="deactivated"):
        steps.rotate(former.id)

    assert side.all == [former]


def test_a_webhook_that_is_not_there_is_said(side: Side, steps: Steps) -> None:
    with pytest.raises(PermanentFailure, match="there is no such thing in this account"):
        steps.rotate("wsu_none")


def test_the_command_shows_the_steps_and_the_webhook_that_is_left(
    side: Side, former: Subscription
) -> None:
    ran = side.run("rotate", former.id, "--secret", SECOND)

    (left,) = side.all
    assert ran.code == 0, ran.err
    assert f"id      {left.id}" in ran.out
    assert ran.err.splitlines()[:3] == [
        f"Making a second webhook, its secret goes to {SECOND}",
        "Testing that the receiver takes what it signs",
        f"Deleting {former.id}",
    ]
    assert left.secret not in ran.out + ran.err


def test_as_data_it_names_both(side: Side, former: Subscription) -> None:
    ran = side.run("rotate", former.id, "--secret", SECOND, "--json")

    assert (ran.data["id"], ran.data["former"]) == (side.all[0].id, former.id)
    assert ran.data["secret"] == SECOND


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    side: Side, former: Subscription
) -> None:
    calls = len(side.cloud.admin_calls)

    ran = side.run("rotate", former.id, "--secret", SECOND, "--dry-run")

    assert ran.code == 0
    said = " ".join(ran.out.split())
    assert f"1. Make a second webhook like {former.id}" in said
    assert f"2. Put its secret into {SECOND}" in said
    assert f"WEBHOOK_SECRETS must list {SECOND} beside what it lists today" in said
    assert f"4. Delete {former.id}" in said
    assert side.all == [former]
    assert side.secrets.values("dbt-webhook-2") == []
    assert {call.method for call in side.cloud.admin_calls.all[calls:]} == {"GET"}


def test_a_dry_run_of_what_is_done_says_that_there_is_nothing_to_do(
    side: Side, steps: Steps, former: Subscription
) -> None:
    now = steps.rotate(former.id)

    ran = side.run("rotate", former.id, "--secret", SECOND, "--dry-run", "--json")

    assert ran.data == {"steps": [f"Nothing: {former.id} is not there: {now.id} took its place"]}


def _events(side: Side) -> list[SentEvent]:
    connected = connecting.connected(side.environ, connecting.Wanted())
    return [event for each in side.all for event in connected.events(each.id)]
