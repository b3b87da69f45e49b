"""Pub/Sub: what is asked of it, of the lab's and of Google's emulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import queue
from tests import emulators
from tests.cli.doctor.world import World, a_world
from tests.cli.running import afterrun

AGENT = "serviceAccount:service-123456789@gcp-sa-pubsub.iam.gserviceaccount.com"
LETTERS = "pubsub/projects/afterrun-lab/topics/dbt-cloud-events-dead-letters"
EVENTS = "pubsub/projects/afterrun-lab/subscriptions/dbt-cloud-events"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as world:
        yield world


def test_as_a_deployment_has_it_all_is_well(world: World) -> None:
    found = world.found("--only", "pubsub")

    assert {state for state, _, _ in found.values()} == {"ok"}


def test_a_topic_that_is_not_there_fails_with_what_makes_it(world: World) -> None:
    world.queue.publisher.delete_topic(topic=world.queue.ticks)

    found = world.found("--only", "pubsub")

    assert found["topic of ticks"] == (
        "fails",
        "there is no dbt-cloud-ticks",
        "gcloud pubsub topics create projects/afterrun-lab/topics/dbt-cloud-ticks",
    )
    assert found["ticks, delivered"][:2] == (
        "fails",
        "its topic was deleted: nothing comes by it any more",
    )


def test_a_subscription_that_is_not_there_fails_with_what_makes_it(world: World) -> None:
    name = world.queue.subscription("dbt-cloud-events-dead-letters")
    world.queue.subscriber.delete_subscription(subscription=name)

    state, said, mend = world.found("--only", "pubsub")["dead letters, kept"]

    assert (state, said) == ("fails", "there is no dbt-cloud-events-dead-letters")
    assert mend == (
        f"gcloud pubsub subscriptions create {name} "
        "--topic=projects/afterrun-lab/topics/dbt-cloud-events-dead-letters "
        "--message-retention-duration=31d --expiration-period=never --ack-deadline=60"
    )


def test_one_that_pubsub_deletes_when_it_is_idle_fails(world: World) -> None:
    name = world.queue.subscription("dbt-cloud-events")
    world.queue.subscriber.delete_subscription(subscription=name)
    world.queue.subscriber.create_subscription(
        request={"name": name, "topic": world.queue.events, "ack_deadline_seconds": 300}
    )

    found = world.doctor("--only", "pubsub", "--json").data["findings"]

    said = [each["said"] for each in found if each["name"] == "events, delivered"]
    assert said == [
        "Pub/Sub deletes it when it was idle for 31 d",
        "it tries again at once, a hundred times in a row",
        "it has no dead-letter topic: what nobody can take comes again until it is dropped",
    ]


def test_the_receiver_that_may_not_publish_is_to_be_looked_at(world: World) -> None:
    world.google.policies["pubsub/projects/afterrun-lab/topics/dbt-cloud-events"] = {}

    assert world.found("--only", "pubsub")["topic of events"] == (
        "warn",
        "afterrun-receiver may not publish to it, unless the project grants it that",
        (
            "gcloud pubsub topics add-iam-policy-binding "
            "projects/afterrun-lab/topics/dbt-cloud-events "
            '--member="serviceAccount:afterrun-receiver@afterrun-lab.iam.gserviceaccount.com" '
            "--role=roles/pubsub.publisher"
        ),
    )


def test_pubsubs_own_account_needs_both_its_bindings(world: World) -> None:
    world.google.policies[LETTERS]["roles/pubsub.publisher"].remove(AGENT)
    world.google.policies[EVENTS] = {}

    found = world.found("--only", "pubsub")

    assert found["topic of dead letters"][:2] == (
        "warn",
        "Pub/Sub's own account may not publish to it, unless the project grants it that",
    )
    state, said, mend = found["Pub/Sub's own account"]
    assert (state, said.split(",")[0]) == (
        "warn",
        "Pub/Sub's own account may not acknowledge for it",
    )
    assert "service-$(gcloud projects describe afterrun-lab" in mend
    assert "--role=roles/pubsub.subscriber" in mend


def test_who_may_not_take_letters_is_told(world: World) -> None:
    world.google.permissions.clear()

    state, said, _ = world.found("--only", "pubsub")["dead letters, kept"]

    assert (state, said) == (
        "warn",
        "you may not take letters from it, as `afterrun dead-letters` does",
    )


def test_hidden_policies_are_skipped(world: World) -> None:
    world.google.hidden.add("pubsub")

    found = world.found("--only", "pubsub")

    assert found["topic of events"][:2] == (
        "skipped",
        "who may use it is not shown: these credentials may not look at it",
    )


@emulators.ON_PUBSUB
def test_googles_emulator_tells_what_it_can(pubsub_emulator: str, tmp_path: Path) -> None:
    environ = {
        "GOOGLE_CLOUD_PROJECT": "doctor",
        "PUBSUB_EMULATOR_HOST": pubsub_emulator,
        "LEDGER": f"sqlite:{tmp_path / 'afterrun.db'}",
        "GOOGLE_APIS_EMULATOR_HOST": "",
    }
    before = afterrun("doctor", "--only", "pubsub", "--json", environ=environ).data
    with queue.connected(pubsub_emulator, "doctor") as made:
        made.create_topics()
        made.push_to("http://127.0.0.1:9/")
    after = afterrun("doctor", "--only", "pubsub", "--json", environ=environ).data

    assert {each["state"] for each in before["findings"]} == {"fails"}
    assert {each["state"] for each in after["findings"]} == {"ok"}
