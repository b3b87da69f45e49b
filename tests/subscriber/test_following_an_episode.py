"""Deliveries over the life of an episode, at the lab's PagerDuty, with secrets that change."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from lab.faults import Fault
from lab.pagerduty import PagerDuty as StandIn
from lab.secret_manager import SecretManager
from lab.secrets import Secrets, State
from lab.serve import serve
from shared.secret_refs import SecretReader
from subscriber.actions import Action, Verb
from subscriber.deliveries import Deliveries
from subscriber.destination import Destination
from subscriber.destinations.mode import Mode
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.ledger.contract import Change, Kind, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.opened import key as opened_key
from subscriber.outbound import Outbound
from subscriber.owners import Owner
from tests.builders import Clock, an_action
from tests.fakes import FakeDeadLetters

FIRST, SECOND, THEIRS = "1" * 32, "2" * 32, "3" * 32


class World:
    """One destination, `oncall`, whose configuration and secrets a test changes as it goes."""

    def __init__(
        self, url: str, stand_in: StandIn, manager: SecretManager, host: str, clock: Clock
    ) -> None:
        self.url = url
        self.stand_in = stand_in
        self.secrets = manager.secrets
        self.faults = manager.faults
        self.environ = {"KEY": FIRST}
        self.owners: dict[str, Owner] = {}
        self.ledger = MemoryLedger()
        self.clock = clock
        self.dead_letters = FakeDeadLetters()
        self.reader = SecretReader(project=lambda: "acme", manager_host=host, environ=self.environ)
        self.destinations: dict[str, Destination] = {}
        self.configure(routing_key="env:KEY")

    def configure(self, **fields: Any) -> None:
        written = {"base_url": self.url, **fields}
        self.destinations = {"oncall": PagerDuty.model_validate(written)}

    def deliver(self, verb: Verb = Verb.OPEN, **fields: Any) -> Work:
        """What the ledger says of the action after it was due once."""
        action = an_action(verb, **fields)
        self.record(action)
        return self.due(action.key)

    def record(self, *actions: Action) -> None:
        now = self.clock()
        for action in actions:
            self.ledger.record(Work(action.key, Kind.ACTION, action.body(), now, now))

    def due(self, *keys: str) -> Work:
        """What the ledger says of the last of `keys` after all were due once."""
        Deliveries(
            destinations=self.destinations,
            ledger=self.ledger,
            outbound=Outbound(read_timeout_s=2),
            dead_letters=self.dead_letters,
            secret=self.reader.resolve,
            secret_anew=self.reader.resolve,
            clock=self.clock,
            jitter=lambda: 1.0,
            owners=self.owners,
        ).deliver([("oncall", key) for key in keys])
        work = self.ledger.work(keys[-1])
        assert work is not None
        return work

    def told(self) -> list[tuple[str, str]]:
        """What PagerDuty took, in order: the routing key and what was done."""
        events = [json.loads(r.body) for r in self.stand_in.requests if r.status == 202]
        return [(event["routing_key"], event["event_action"]) for event in events]


@pytest.fixture(scope="module")
def manager() -> Iterator[tuple[SecretManager, str]]:
    served = SecretManager(Secrets(project="acme"))
    with served.serve() as host:
        yield served, host


@pytest.fixture
def world(manager: tuple[SecretManager, str]) -> Iterator[World]:
    served, host = manager
    # each test has secrets of its own, the server is started once
    served.secrets = Secrets(project="acme")
    clock = Clock()
    stand_in = StandIn(FIRST, SECOND, THEIRS, clock=clock)
    with serve(stand_in.app) as url:
        yield World(url, stand_in, served, host, clock)


def test_an_alert_is_resolved_through_the_key_that_opened_it_after_a_new_version(
    world: World,
) -> None:
    world.secrets.put("pd", FIRST)
    world.configure(routing_key="secret:pd")
    world.deliver(Verb.OPEN)
    world.secrets.put("pd", SECOND)

    world.deliver(Verb.UPDATE)
    closed = world.deliver(Verb.CLOSE)

    assert world.told() == [(FIRST, "trigger"), (FIRST, "trigger"), (FIRST, "resolve")]
    assert closed.result["outcome"] == "delivered"
    assert world.stand_in.open_alerts == []


def test_the_next_episode_opens_through_the_key_of_today(world: World) -> None:
    world.secrets.put("pd", FIRST)
    world.configure(routing_key="secret:pd")
    world.deliver(Verb.OPEN)
    world.secrets.put("pd", SECOND)

    world.deliver(Verb.OPEN, key="1/oncall/job/7/200/open/1", episode_key="next")

    assert world.told() == [(FIRST, "trigger"), (SECOND, "trigger")]


@pytest.mark.parametrize("state", [State.DISABLED, State.DESTROYED])
def test_a_version_that_is_gone_is_a_dead_letter_that_says_which_alert_to_close(
    world: World, state: State
) -> None:
    world.secrets.put("pd", FIRST)
    world.configure(routing_key="secret:pd")
    world.deliver(Verb.OPEN)
    world.secrets.put("pd", SECOND)
    world.secrets.set_state("pd", 1, state)

    world.deliver(Verb.CLOSE)

    ((data, attributes, reason),) = world.dead_letters.left
    assert "this version is disabled or destroyed" in reason
    assert reason.endswith("close the alert afterrun/1/job/7/100 by hand")
    assert FIRST not in f"{data!r} {attributes} {reason}"
    assert world.told() == [(FIRST, "trigger")]


def test_a_version_that_cannot_be_read_now_is_waited_for(world: World) -> None:
    world.secrets.put("pd", FIRST)
    world.configure(routing_key="secret:pd")
    world.deliver(Verb.OPEN)
    world.secrets.deny("pd")

    waiting = world.deliver(Verb.CLOSE)
    world.secrets.allow("pd")
    world.clock.passes(600)
    closed = world.due(waiting.key)

    assert not waiting.is_settled
    assert closed.result["outcome"] == "delivered"


def test_a_key_in_a_variable_is_found_among_the_former_ones(world: World) -> None:
    world.deliver(Verb.OPEN)
    world.environ |= {"KEY": SECOND, "FORMER": FIRST, "OLDER": THEIRS}
    world.configure(
        routing_key="env:KEY", former_routing_keys=["env:UNSET", "env:OLDER", "env:FORMER"]
    )

    world.deliver(Verb.CLOSE)

    assert world.told() == [(FIRST, "trigger"), (FIRST, "resolve")]


def test_a_key_in_another_variable_than_before_is_recognised(world: World) -> None:
    world.deliver(Verb.OPEN)
    world.environ["NEW_NAME"] = world.environ.pop("KEY")
    world.configure(routing_key="env:NEW_NAME")

    world.deliver(Verb.CLOSE)

    assert world.told() == [(FIRST, "trigger"), (FIRST, "resolve")]


def test_a_key_that_is_nowhere_any_more_is_a_dead_letter_with_the_way_out(world: World) -> None:
    world.deliver(Verb.OPEN)
    world.environ["KEY"] = SECOND

    closed = world.deliver(Verb.CLOSE)

    assert closed.result["outcome"] == "refused"
    ((_, _, reason),) = world.dead_letters.left
    assert reason == (
        "the routing_key that opened it is no longer in env:KEY or `former_routing_keys`; "
        "close the alert afterrun/1/job/7/100 by hand"
    )
    assert world.told() == [(FIRST, "trigger")]


def test_a_key_of_today_that_is_not_there_may_be_mended(world: World) -> None:
    world.deliver(Verb.OPEN)
    del world.environ["KEY"]

    waiting = world.deliver(Verb.CLOSE)

    assert not waiting.is_settled
    assert world.dead_letters.left == []


def test_a_destination_that_left_the_configuration_still_closes_what_it_opened(
    world: World,
) -> None:
    world.deliver(Verb.OPEN)
    world.destinations = {}

    closed = world.deliver(Verb.CLOSE)

    assert closed.result["outcome"] == "delivered"
    assert world.told() == [(FIRST, "trigger"), (FIRST, "resolve")]


def test_a_destination_that_is_of_another_kind_now_still_closes_what_it_opened(
    world: World,
) -> None:
    world.deliver(Verb.OPEN)
    secret = SecretStr("env:MODE")
    world.destinations = {"oncall": Mode(workspace="acme", report="r", token=secret, secret=secret)}

    world.deliver(Verb.CLOSE)

    assert world.told() == [(FIRST, "trigger"), (FIRST, "resolve")]


def test_a_region_that_changed_does_not_take_the_open_alert_along(world: World) -> None:
    world.deliver(Verb.OPEN)
    world.configure(routing_key="env:KEY", base_url="https://events.eu.pagerduty.com")

    world.deliver(Verb.CLOSE)

    assert world.told() == [(FIRST, "trigger"), (FIRST, "resolve")]


def test_a_severity_that_changed_holds_for_the_next_update(world: World) -> None:
    world.deliver(Verb.OPEN)
    world.configure(routing_key="env:KEY", severity="critical")

    world.deliver(Verb.UPDATE)

    assert json.loads(world.stand_in.requests[-1].body)["payload"]["severity"] == "critical"


def test_without_anything_kept_the_configuration_of_today_closes(world: World) -> None:
    world.deliver(Verb.OPEN)
    world.ledger = MemoryLedger()
    world.environ["KEY"] = SECOND

    world.deliver(Verb.CLOSE)

    assert world.told() == [(FIRST, "trigger"), (SECOND, "resolve")]


def test_without_anything_kept_a_destination_that_left_is_a_dead_letter(world: World) -> None:
    world.destinations = {}

    world.deliver(Verb.CLOSE)

    ((_, _, reason),) = world.dead_letters.left
    assert "oncall is no longer configured" in reason
    assert "afterrun/1/job/7/100" in reason


def test_what_a_newer_version_has_kept_is_left_to_it(world: World) -> None:
    world.deliver(Verb.OPEN)
    before = world.ledger.subjects([opened_key(an_action())])[0]
    world.ledger.decide([Change(before, before.body | {"version": 2})], [])

    work = world.deliver(Verb.CLOSE)

    assert not work.is_settled
    assert "newer version of the program" in work.result["reason"]
    assert world.told() == [(FIRST, "trigger")]


def test_an_action_of_a_newer_version_waits_a_day_for_it_and_holds_up_no_other(
    world: World,
) -> None:
    newer = an_action(key="newer")
    now = world.clock()
    body = newer.body() | {"colour": "blue"}
    world.ledger.record(Work("newer", Kind.ACTION, body, now, now))
    world.record(an_action())

    opened = world.due("newer", an_action().key)
    waiting = world.ledger.work("newer")
    world.clock.passes(86_400)
    given_up = world.due("newer")

    assert opened.result["outcome"] == "delivered"
    assert waiting is not None
    assert not waiting.is_settled
    assert given_up.result["outcome"] == "refused"
    assert "newer version" in world.dead_letters.left[0][2]


def test_the_owner_s_own_service_is_paged_and_resolved(world: World) -> None:
    world.environ["THEIRS"] = THEIRS
    world.owners = {"Finance": Owner(pagerduty=SecretStr("env:THEIRS"))}
    world.deliver(Verb.OPEN, owner="finance")
    world.owners = {}

    world.deliver(Verb.CLOSE)

    assert world.told() == [(THEIRS, "trigger"), (THEIRS, "resolve")]


def test_an_owner_without_a_service_is_no_reason_to_page_nobody(world: World) -> None:
    world.owners = {"Finance": Owner(slack="U012AB3CD")}

    world.deliver(Verb.OPEN, owner="Finance")

    assert world.told() == [(FIRST, "trigger")]


def test_an_update_opens_what_was_refused_and_is_closed_like_it(world: World) -> None:
    world.environ["KEY"] = "f" * 32
    world.deliver(Verb.OPEN)
    world.environ["KEY"] = FIRST
    world.deliver(Verb.UPDATE)
    world.environ |= {"KEY": SECOND, "FORMER": FIRST}
    world.configure(routing_key="env:KEY", former_routing_keys=["env:FORMER"])

    world.deliver(Verb.CLOSE)

    assert world.told() == [(FIRST, "trigger"), (FIRST, "resolve")]


OPEN, CLOSE = an_action(Verb.OPEN), an_action(Verb.CLOSE, after=an_action(Verb.OPEN).key)
BUSY = Fault("answer", status=503, headers={"Retry-After": "60"})


def test_a_recovery_that_overtakes_its_opening_tells_the_pager_nothing(world: World) -> None:
    update = an_action(Verb.UPDATE, after=OPEN.key)
    close = an_action(Verb.CLOSE, after=update.key)
    world.stand_in.faults.next(BUSY)
    world.deliver(Verb.OPEN)
    world.record(update, close)
    world.clock.passes(60)

    world.due(OPEN.key, update.key, close.key)

    works = [world.ledger.work(action.key) for action in (OPEN, update, close)]
    assert [work and work.result["outcome"] for work in works] == ["superseded"] * 3
    assert world.stand_in.requests == []
    assert world.dead_letters.left == []


def test_what_may_have_opened_is_resolved_and_not_opened_again(world: World) -> None:
    world.stand_in.faults.next(Fault("lost"), times=3)
    world.deliver(Verb.OPEN)
    world.record(CLOSE)
    world.clock.passes(60)

    world.due(OPEN.key, CLOSE.key)

    assert [action for _, action in world.told()] == ["trigger"] * 3 + ["resolve"]
    assert world.stand_in.open_alerts == []


def test_what_may_have_opened_is_resolved_through_the_key_that_it_went_through(
    world: World,
) -> None:
    world.secrets.put("pd", FIRST)
    world.configure(routing_key="secret:pd")
    world.stand_in.faults.next(Fault("lost"), times=3)
    world.deliver(Verb.OPEN)
    world.secrets.put("pd", SECOND)
    world.record(CLOSE)
    world.clock.passes(60)

    world.due(OPEN.key, CLOSE.key)

    assert world.told()[-1] == (FIRST, "resolve")


def test_one_lost_answer_among_refusals_is_enough_to_resolve(world: World) -> None:
    world.stand_in.faults.next(Fault("lost"))
    world.stand_in.faults.next(BUSY)
    world.deliver(Verb.OPEN)
    world.record(CLOSE)
    world.clock.passes(60)

    world.due(OPEN.key, CLOSE.key)

    assert [action for _, action in world.told()] == ["trigger", "resolve"]


def test_an_open_whose_process_died_may_have_arrived(world: World) -> None:
    world.record(OPEN)
    world.ledger.claim(OPEN.key, owner="died", now=world.clock(), lease=timedelta(0))
    world.record(CLOSE)

    world.due(OPEN.key, CLOSE.key)

    assert [action for _, action in world.told()] == ["resolve"]


def test_attempts_are_on_record_across_postponements(world: World) -> None:
    world.stand_in.faults.next(BUSY)
    world.deliver(Verb.OPEN)
    world.clock.passes(60)

    attempts = world.due(OPEN.key).result["attempts"]

    assert [attempt["outcome"] for attempt in attempts] == ["not yet", "delivered"]
    assert attempts[0]["reason"] == "127.0.0.1 answered 503"


def test_a_wait_for_its_turn_is_no_attempt(world: World) -> None:
    world.record(OPEN, CLOSE)
    waiting = world.due(CLOSE.key)

    assert waiting.result["attempts"] == []
    assert waiting.attempts == 0


def test_no_more_goes_out_in_a_minute_than_pagerduty_takes(world: World) -> None:
    keys = [f"1/oncall/job/{job}/100/open/1" for job in range(125)]
    world.record(*(an_action(key=key, episode_key=key) for key in keys))

    last = world.due(*keys)

    assert len(world.told()) == 120
    assert last.due_at is not None
    assert (last.due_at - world.clock()).total_seconds() == 60
    assert last.attempts == 0
    world.clock.passes(60)
    world.due(*keys[120:])
    assert len(world.told()) == 125
