"""Deliveries, as far as the story of an event does not tell it: credentials, lanes, backoff."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from lab.pagerduty import PagerDuty as StandIn
from lab.serve import serve
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import Secret, SecretRef
from subscriber.actions import Action, Handle, Unfinished, Verb
from subscriber.deliveries import LEASE, Deliveries
from subscriber.destination import Destination, Does
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.opened import Openings
from subscriber.outbound import Outbound, Refused, UnknownOutcome
from subscriber.patience import (
    BACKOFF_FIRST_S,
    BACKOFF_LIMIT_S,
    GIVE_UP_AFTER,
    GIVE_UP_ATTEMPTS,
    backoff_s,
)
from tests.builders import NOW, Clock, a_told, an_action
from tests.fakes import FakeDeadLetters

OLD, NEW = "0" * 32, "1" * 32


class Guarded(Destination):
    """A destination that lets in who has the right secret, and remembers what was tried."""

    does: ClassVar[Does] = Does.ALERT
    repeatable: ClassVar[bool] = True
    key: SecretStr = SecretStr("env:KEY")
    base_url: str = "https://guarded.example"
    world: Any = Field(exclude=True)

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        handle: Handle = self.world.attempt(self.key.get_secret_value())
        return handle


@dataclass
class World:
    """The secret as it is kept and as it is now, what is tried with it, and what follows."""

    kept: str = OLD
    now: str = NEW
    status: int = 401
    tried: list[str] = field(default_factory=list)
    read_anew: int = 0
    failures: list[Exception] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    dead_letters: FakeDeadLetters = field(default_factory=FakeDeadLetters)

    def attempt(self, key: str) -> Handle:
        self.tried.append(key)
        if self.failures:
            raise self.failures.pop(0)
        if key != NEW:
            raise Refused(f"guarded.example answered {self.status}", self.status)
        return Handle("key", "https://guarded.example/1")

    def secret(self, ref: SecretRef) -> Secret:
        return Secret(self.kept, ref)

    def anew(self, ref: SecretRef) -> Secret:
        self.read_anew += 1
        self.kept = self.now
        return Secret(self.kept, ref)

    def deliveries(self, **destinations: Destination) -> Deliveries:
        return Deliveries(
            destinations=destinations or {"oncall": Guarded(world=self)},
            ledger=self.ledger,
            outbound=Outbound(),
            dead_letters=self.dead_letters,
            secret=self.secret,
            secret_anew=self.anew,
            clock=self.clock,
            jitter=lambda: 1.0,
        )

    def record(self, action: Action, attempts: int = 0) -> tuple[str, str]:
        now = self.clock()
        work = Work(action.key, Kind.ACTION, action.body(), now, now, attempts=attempts)
        self.ledger.record(work)
        return action.destination, action.key

    def deliver(self, action: Action | None = None) -> Work:
        """What the ledger says of `action` after it was due once."""
        due = self.record(action or an_action())
        self.deliveries().deliver([due])
        return self.work(due[1])

    def work(self, key: str) -> Work:
        work = self.ledger.work(key)
        assert work is not None
        return work


def test_what_came_of_a_delivery_is_kept() -> None:
    work = World(kept=NEW).deliver()

    assert work.is_settled
    assert work.result == {
        "outcome": "delivered",
        "key": "key",
        "url": "https://guarded.example/1",
        "attempts": [{"at": NOW.isoformat(), "outcome": "delivered", "reason": ""}],
    }


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_credential_is_read_anew_once_and_used(status: int) -> None:
    world = World(status=status)

    work = world.deliver()

    assert world.tried == [OLD, NEW]
    assert work.result["outcome"] == "delivered"


def test_a_credential_that_has_not_changed_is_not_tried_again() -> None:
    world = World(now=OLD)

    work = world.deliver()

    assert world.tried == [OLD]
    assert world.read_anew == 1
    assert work.result["outcome"] == "refused"
    assert work.result["reason"] == "guarded.example answered 401"


def test_a_new_credential_that_is_refused_too_is_the_end() -> None:
    world = World(now="2" * 32)

    work = world.deliver()

    assert world.tried == [OLD, "2" * 32]
    assert work.result["outcome"] == "refused"


@pytest.mark.parametrize("status", [404, 409, 410, 413, 422])
def test_other_refusals_have_nothing_to_do_with_the_credential(status: int) -> None:
    world = World(status=status)

    world.deliver()

    assert world.read_anew == 0
    assert world.tried == [OLD]


def test_a_new_credential_may_find_the_destination_busy() -> None:
    world = World(failures=[Refused("no", 401), TemporaryFailure("busy")])

    work = world.deliver()

    assert not work.is_settled
    assert work.result["reason"] == "busy"


@pytest.fixture
def pagerduty() -> Iterator[tuple[StandIn, PagerDuty]]:
    stand_in = StandIn(NEW)
    with serve(stand_in.app) as url:
        yield stand_in, PagerDuty(routing_key=SecretStr("secret:pd"), base_url=url)


def test_a_routing_key_that_pagerduty_does_not_know_is_read_anew(
    pagerduty: tuple[StandIn, PagerDuty],
) -> None:
    world = World()
    stand_in, destination = pagerduty

    world.deliveries(oncall=destination).deliver([world.record(an_action())])

    assert [request.status for request in stand_in.requests] == [400, 202]
    assert world.dead_letters.left == []


def test_no_routing_key_is_among_the_dead_letters(pagerduty: tuple[StandIn, PagerDuty]) -> None:
    world = World(now=OLD)
    stand_in, destination = pagerduty

    world.deliveries(oncall=destination).deliver([world.record(an_action())])

    assert [request.status for request in stand_in.requests] == [400]
    ((data, attributes, reason),) = world.dead_letters.left
    assert reason.startswith("127.0.0.1 answered 400: PagerDuty does not know")
    assert OLD not in f"{data!r} {attributes} {reason}"


def test_a_dead_letter_says_what_could_not_be_done() -> None:
    world = World(now=OLD)
    action = an_action()

    world.deliver(action)

    ((_, attributes, _),) = world.dead_letters.left
    assert attributes == {
        "content": "action",
        "action": action.key,
        "destination": "oncall",
        "verb": "open",
        "episode": "afterrun/1/job/7/100",
    }


@pytest.mark.parametrize(
    "failure", [PermanentFailure("the secret env:KEY is empty"), TemporaryFailure("away")]
)
def test_a_secret_that_cannot_be_read_makes_its_own_destination_wait_and_no_other(
    failure: Exception,
) -> None:
    world = World(kept=NEW)
    other = World(kept=NEW)

    def secret(ref: SecretRef) -> Secret:
        if ref.name == "BROKEN":
            raise failure
        return Secret(NEW, ref)

    deliveries = world.deliveries(
        oncall=Guarded(key=SecretStr("env:BROKEN"), world=world), data=Guarded(world=other)
    )
    broken = world.record(an_action())
    fine = world.record(an_action(key="fine", destination="data"))

    replace(deliveries, secret=secret).deliver([broken, fine])

    assert world.tried == []
    assert not world.work(broken[1]).is_settled
    assert world.work("fine").result["outcome"] == "delivered"


def test_destinations_are_delivered_to_side_by_side() -> None:
    both_are_there = threading.Barrier(2, timeout=10)

    class Meeting(World):
        def attempt(self, key: str) -> Handle:
            both_are_there.wait()
            return super().attempt(key)

    world = Meeting(kept=NEW)
    destinations = {"a": Guarded(world=world), "b": Guarded(world=world)}
    due = [
        world.record(an_action(key="one", destination="a")),
        world.record(an_action(key="two", destination="b")),
    ]

    world.deliveries(**destinations).deliver(due)

    assert world.work("one").is_settled
    assert world.work("two").is_settled


def test_what_goes_to_one_destination_goes_in_order() -> None:
    world = World(kept=NEW, failures=[PermanentFailure("first"), PermanentFailure("second")])
    due = [world.record(an_action(key=key)) for key in ("one", "two", "three")]

    world.deliveries().deliver(due)

    assert [world.work(key).result.get("reason") for key in ("one", "two", "three")] == [
        "first",
        "second",
        None,
    ]


def test_nothing_due_is_nothing_to_do() -> None:
    World().deliveries().deliver([])


def test_work_that_nobody_recorded_or_somebody_holds_is_left_alone() -> None:
    world = World(kept=NEW)
    held = world.record(an_action(key="held"))
    world.ledger.claim("held", owner="other", now=world.clock(), lease=LEASE)

    world.deliveries().deliver([("oncall", "never recorded"), held])

    assert world.tried == []


def test_a_lease_that_ran_out_meanwhile_leaves_the_result_to_its_new_owner() -> None:
    class Slow(World):
        def attempt(self, key: str) -> Handle:
            self.clock.passes(LEASE.total_seconds() + 1)
            self.ledger.claim(an_action().key, owner="other", now=self.clock(), lease=LEASE)
            return super().attempt(key)

    work = Slow(kept=NEW).deliver()

    assert not work.is_settled
    assert work.owner == "other"


def due_after_s(failure: TemporaryFailure, *, repeatable: bool) -> float:
    class Kind(Guarded):
        pass

    Kind.repeatable = repeatable
    world = World(failures=[failure])
    due = world.record(an_action())
    world.deliveries(oncall=Kind(world=world)).deliver([due])
    due_at = world.work(due[1]).due_at
    assert due_at is not None
    return (due_at - world.clock()).total_seconds()


@pytest.mark.parametrize(
    ("failure", "repeatable", "seconds"),
    [
        (TemporaryFailure("busy"), True, BACKOFF_FIRST_S),
        (TemporaryFailure("busy"), False, BACKOFF_FIRST_S),
        (TemporaryFailure("busy", retry_after_s=90), True, 90),
        (TemporaryFailure("busy", retry_after_s=1), True, BACKOFF_FIRST_S),
        (UnknownOutcome("no answer"), True, BACKOFF_FIRST_S),
        (UnknownOutcome("no answer"), False, LEASE.total_seconds()),
        (UnknownOutcome("no answer", retry_after_s=90), False, 90),
    ],
)
def test_when_it_is_tried_again_depends_on_what_a_repeat_does(
    failure: TemporaryFailure,
    repeatable: bool,  # noqa: FBT001 - a table
    seconds: float,
) -> None:
    assert due_after_s(failure, repeatable=repeatable) == seconds


def test_attempts_become_rarer() -> None:
    world = World(failures=[TemporaryFailure("busy")] * 4)
    due = world.record(an_action())
    pauses = []

    for _ in range(4):
        world.deliveries().deliver([due])
        due_at = world.work(due[1]).due_at
        assert due_at is not None
        pauses.append((due_at - world.clock()).total_seconds())
        world.clock.now = due_at

    assert pauses == [5, 10, 20, 40]


def test_what_waits_for_its_turn_or_for_a_busy_destination_costs_no_attempt() -> None:
    world = World(failures=[TemporaryFailure("busy")])
    first = world.record(an_action(key="first"))
    second = world.record(an_action(key="second"))
    third = world.record(an_action(key="third", destination="data", after="first"))

    world.deliveries(oncall=Guarded(world=world), data=Guarded(world=world)).deliver(
        [first, second]
    )
    world.deliveries(oncall=Guarded(world=world), data=Guarded(world=world)).deliver([third])

    assert [world.work(key).attempts for key in ("first", "second", "third")] == [1, 0, 0]


@pytest.mark.parametrize(
    ("age", "attempts", "given_up"),
    [
        (GIVE_UP_AFTER, GIVE_UP_ATTEMPTS, True),
        (GIVE_UP_AFTER, GIVE_UP_ATTEMPTS - 1, False),
        (timedelta(hours=23), 1_000, False),
    ],
)
def test_it_is_given_up_after_a_day_of_attempts_and_not_before(
    age: timedelta,
    attempts: int,
    given_up: bool,  # noqa: FBT001 - a table
) -> None:
    world = World(failures=[TemporaryFailure("busy")])
    due = world.record(an_action(), attempts=attempts - 1)
    world.clock.passes(age.total_seconds())

    world.deliveries().deliver([due])

    assert world.work(due[1]).is_settled is given_up
    assert bool(world.dead_letters.left) is given_up


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_backoff_grows_to_ten_minutes_and_not_beyond(attempts: int, jitter: float) -> None:
    pause = backoff_s(attempts, jitter)

    assert BACKOFF_FIRST_S / 2 <= pause <= BACKOFF_LIMIT_S
    assert pause <= backoff_s(attempts, 1.0) <= backoff_s(attempts + 1, 1.0)
    assert pause >= backoff_s(attempts, 1.0) / 2


FAILURES: list[Callable[[], Exception]] = [
    lambda: TemporaryFailure("busy"),
    lambda: UnknownOutcome("no answer"),
    lambda: TemporaryFailure("busy", retry_after_s=3_600),
    lambda: Refused("no", 401),
    lambda: Refused("no", 404),
    lambda: PermanentFailure("no"),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(range(len(FAILURES))), max_size=6))
def test_whatever_fails_an_action_ends_delivered_or_among_the_dead_letters(
    failing: list[int],
) -> None:
    world = World(kept=NEW, failures=[FAILURES[index]() for index in failing])
    due = world.record(an_action())

    for _ in range(10):
        world.deliveries().deliver([due])
        world.clock.passes(3_601)

    assert world.work(due[1]).is_settled
    delivered = world.work(due[1]).result["outcome"] == "delivered"
    assert delivered is not bool(world.dead_letters.left)


def test_the_backoff_is_spread_so_that_not_all_come_back_at_once() -> None:
    assert backoff_s(1, 0.0) == BACKOFF_FIRST_S / 2
    assert backoff_s(1, 1.0) == BACKOFF_FIRST_S


class People(Guarded):
    """People who are told, each time anew."""

    does: ClassVar[Does] = Does.TELL
    repeatable: ClassVar[bool] = False

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        self.world.told.append((action, action.opened))
        return super().deliver(action, outbound)


@dataclass
class Channel(World):
    kept: str = NEW
    told: list[tuple[Action, Handle | None]] = field(default_factory=list)

    def due(self, *keys: str) -> list[object]:
        """The outcomes of `keys` after all were due once."""
        self.deliveries(oncall=People(world=self)).deliver([("oncall", key) for key in keys])
        return [self.work(key).result.get("outcome") for key in keys]


OPENED = an_action(Verb.OPEN)
CLOSED = an_action(
    Verb.CLOSE, after=OPENED.key, message=a_told(headline="Daily build recovered", text="")
)


def test_people_are_told_once_of_what_recovered_before_they_heard_of_it() -> None:
    world = Channel(failures=[TemporaryFailure("busy")])
    world.record(OPENED)
    world.due(OPENED.key)
    world.told.clear()
    world.record(CLOSED)
    world.clock.passes(60)

    assert world.due(OPENED.key, CLOSED.key) == ["superseded", "delivered"]

    ((told, opened),) = world.told
    assert (told.verb, opened) == (Verb.TELL, None)
    assert told.message.headline == "Daily build recovered"
    assert told.message.text == OPENED.message.headline


def test_what_is_told_once_is_tried_again_as_such() -> None:
    world = Channel(failures=[TemporaryFailure("busy")] * 2)
    world.record(OPENED)
    world.due(OPENED.key)
    world.record(CLOSED)
    world.clock.passes(60)
    world.due(OPENED.key, CLOSED.key)
    world.clock.passes(60)

    assert world.due(CLOSED.key) == ["delivered"]

    assert [told.verb for told, _ in world.told] == [Verb.OPEN, Verb.TELL, Verb.TELL]


def test_what_follows_an_opening_is_given_what_it_answered() -> None:
    world = Channel()
    world.record(OPENED)
    world.due(OPENED.key)
    world.record(an_action(Verb.UPDATE))
    world.record(CLOSED)

    world.due(an_action(Verb.UPDATE).key, CLOSED.key)

    handle = Handle("key", "https://guarded.example/1")
    assert [(told.verb, opened) for told, opened in world.told] == [
        (Verb.OPEN, None),
        (Verb.UPDATE, handle),
        (Verb.CLOSE, handle),
    ]


def test_an_open_with_its_close_recorded_while_the_destination_is_busy_takes_none_of_its_time() -> (
    None
):
    world = World(kept=NEW, failures=[TemporaryFailure("busy")])
    world.record(an_action(key="1/oncall/job/8/100/open/1"))
    world.record(OPENED)
    world.record(CLOSED)

    world.deliveries().deliver(
        [("oncall", key) for key in ("1/oncall/job/8/100/open/1", OPENED.key, CLOSED.key)]
    )

    assert world.tried == [NEW]
    assert world.work(OPENED.key).result["outcome"] == "superseded"
    assert world.work(CLOSED.key).result["outcome"] == "superseded"


def test_what_opened_an_episode_is_kept_before_the_open_is_settled() -> None:
    class Dying(MemoryLedger):
        def settle(self, *_: object, **__: object) -> bool:
            raise TemporaryFailure("the ledger is away")

    world = World(kept=NEW, ledger=Dying())
    world.deliveries().deliver([world.record(OPENED)])

    assert not world.work(OPENED.key).is_settled
    assert Openings(world.ledger).of(CLOSED) is not None


def test_a_ledger_that_cannot_keep_what_opened_leaves_the_open_to_be_repeated() -> None:
    class Away(MemoryLedger):
        def decide(self, *_: object, **__: object) -> bool:
            raise TemporaryFailure("the ledger is away")

    world = World(kept=NEW, ledger=Away())
    world.deliveries().deliver([world.record(OPENED)])

    work = world.work(OPENED.key)
    assert not work.is_settled
    assert work.due_at == world.clock() + LEASE


# a pace that is shorter than a tick


class Paced(Guarded):
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = ((1, timedelta(seconds=1)),)


def delivered_at_a_pace(count: int, kind: type[Guarded] = Paced) -> tuple[list[float], World]:
    """The pauses made while so many actions were delivered to one destination."""
    world, pauses = World(kept=NEW), list[float]()
    due = [world.record(an_action(key=f"1/oncall/job/{i}/1/open/1")) for i in range(count)]

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        world.clock.passes(seconds)

    replace(world.deliveries(oncall=kind(world=world)), pause=pause).deliver(due)
    return pauses, world


def test_room_that_is_a_moment_away_is_waited_for() -> None:
    pauses, world = delivered_at_a_pace(4)

    assert pauses == [1.0, 1.0, 1.0]
    assert len(world.tried) == 4


def test_room_that_is_further_away_is_left_for_a_tick() -> None:
    class Slow(Guarded):
        paces: ClassVar[tuple[tuple[int, timedelta], ...]] = ((1, timedelta(minutes=1)),)

    pauses, world = delivered_at_a_pace(3, Slow)

    assert pauses == []
    assert len(world.tried) == 1
    due_at = world.work("1/oncall/job/1/1/open/1").due_at
    assert due_at == world.clock() + timedelta(minutes=1)


# what is done in parts


class Parts(Guarded):
    """Tells two, of whom one can only be told later."""

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        self.world.tried.append(action.so_far and action.so_far.key)
        if action.so_far is None:
            raise Unfinished("b@example.com is told later", Handle("a@example.com"))
        return super().deliver(action, outbound)


def test_what_was_done_of_an_action_is_known_at_the_next_attempt() -> None:
    world = World(kept=NEW)
    due = world.record(an_action())
    deliveries = world.deliveries(oncall=Parts(world=world))

    deliveries.deliver([due])
    world.clock.passes(5)
    deliveries.deliver([due])

    assert world.tried == [None, "a@example.com", NEW]
    assert world.work(due[1]).result["outcome"] == "delivered"


def test_what_was_done_of_it_is_known_through_a_wait_and_to_a_replay() -> None:
    world = World(kept=NEW)
    due = world.record(an_action(after="earlier"))
    world.record(an_action(key="other"))
    deliveries = world.deliveries(oncall=Parts(world=world))
    deliveries.deliver([due])
    world.record(an_action(key="earlier", destination="data"))
    world.clock.passes(5)
    deliveries.deliver([due])  # waits for its turn
    world.ledger.claim("earlier", owner="x", now=world.clock(), lease=LEASE)
    world.ledger.settle("earlier", owner="x", now=world.clock(), result={})
    world.failures = [PermanentFailure("no")]
    world.clock.passes(5)
    deliveries.deliver([due])

    world.ledger.reopen(due[1], now=world.clock())
    deliveries.deliver([due])

    assert [each for each in world.tried if each != NEW] == [None, "a@example.com", "a@example.com"]


@pytest.mark.parametrize(("is_out", "told"), [(True, [Verb.CLOSE]), (False, [Verb.TELL])])
def test_a_recovery_overtakes_what_was_begun_only_if_nobody_has_heard_of_it(
    is_out: bool,  # noqa: FBT001 - a table
    told: list[Verb],
) -> None:
    class Begun(Guarded):
        does: ClassVar[Does] = Does.TELL

        def deliver(self, action: Action, outbound: Outbound) -> Handle:
            if action.verb is Verb.OPEN:
                raise Unfinished("the rest is told later", Handle("part"), is_out=is_out)
            self.world.tried.append(action.verb)
            return Handle()

    world = World(kept=NEW)
    opened = world.record(an_action(Verb.OPEN))
    deliveries = world.deliveries(oncall=Begun(world=world))
    deliveries.deliver([opened])
    closed = world.record(an_action(Verb.CLOSE, after=an_action(Verb.OPEN).key))
    world.clock.passes(5)

    deliveries.deliver([opened, closed])

    assert world.tried == told
