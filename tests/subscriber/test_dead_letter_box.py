"""The box of dead letters: what looking at it and replaying from it do, and what they leave."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from subscriber.dead_letter import Message
from subscriber.dead_letter_box import ACT_S, LOOK_S, DeadLetterBox
from subscriber.dead_letter_replay import Outcome, Replayed
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.memory import MemoryLedger
from tests.builders import NOW, Clock
from tests.fakes import FakeLetters, FakeTopic

LONG_AGO = NOW - timedelta(days=1)


def an_action(letter_id: str, key: str = "", **fields: Any) -> Message:
    attributes = {"content": "action", "action": key or letter_id, "reason": "answered 400"}
    return Message(**{**a_letter_of(letter_id), "attributes": attributes, **fields})


def an_event(letter_id: str, key: str) -> Message:
    attributes = {"content": "event", "event": key, "reason": "not decided on"}
    return Message(**{**a_letter_of(letter_id), "attributes": attributes})


def unreadable(letter_id: str, data: bytes = b"hello", **attributes: str) -> Message:
    told = {"colour": "blue", "reason": "not a JSON object", **attributes}
    return Message(**{**a_letter_of(letter_id), "data": data, "attributes": told})


def a_letter_of(letter_id: str) -> dict[str, Any]:
    # the higher the id, the older
    age = timedelta(seconds=int(letter_id))
    return {"id": letter_id, "published_at": LONG_AGO - age, "data": b'{"secret": 1}'}


@dataclass
class Box:
    """A box, and all that it touches."""

    letters: FakeLetters
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    events: FakeTopic = field(default_factory=FakeTopic)
    clock: Clock = field(default_factory=Clock)
    elapsed: list[float] = field(default_factory=list)

    @property
    def box(self) -> DeadLetterBox:
        return DeadLetterBox(self.letters, self.ledger, self.events, self.clock, self._elapsed)

    def _elapsed(self) -> float:
        return self.elapsed.pop(0) if len(self.elapsed) > 1 else (self.elapsed or [0.0])[0]

    def settled(self, *keys: str, outcome: str = "refused", kind: Kind = Kind.ACTION) -> "Box":
        for key in keys:
            result = {"outcome": outcome, "reason": "answered 400"}
            self.ledger.record(Work(key, kind, {}, recorded_at=NOW, due_at=None, result=result))
        return self

    def due(self) -> set[str]:
        return {work.key for work in self.ledger.due(self.clock(), 100)}

    def is_as_before(self) -> bool:
        return not self.letters.leased


def a_box(*messages: Message) -> Box:
    return Box(FakeLetters(*messages))


def outcomes(results: Any) -> dict[str, Outcome]:
    return {each.id: each.outcome for each in results.results}


def test_letters_are_listed_the_oldest_first_and_given_back() -> None:
    world = a_box(an_action("1"), unreadable("3"), an_event("2", "1/event/e"))

    listing = world.box.listed()

    assert [letter.id for letter in listing.letters] == ["3", "2", "1"]
    assert not listing.more
    assert world.is_as_before()


def test_a_list_shows_no_bodies_but_one_can_be_asked_for() -> None:
    world = a_box(an_action("1"), an_action("2"))

    assert "secret" not in repr(world.box.listed())
    assert world.box.data("1") == b'{"secret": 1}'
    assert world.box.data("9") is None
    assert world.is_as_before()


def test_an_empty_box_is_an_empty_list() -> None:
    listing = a_box().box.listed()

    assert (list(listing.letters), listing.more) == ([], False)


@pytest.mark.parametrize(("count", "more"), [(99, False), (100, False), (101, True), (250, True)])
def test_a_list_is_cut_at_its_limit_and_says_so(count: int, more: bool) -> None:  # noqa: FBT001
    world = a_box(*(an_action(str(number)) for number in range(count)))

    listing = world.box.listed(100)

    assert (len(listing.letters), listing.more) == (min(count, 100), more)
    assert world.is_as_before()


def test_a_message_that_comes_twice_is_listed_once() -> None:
    class Twice(FakeLetters):
        def pull(self, limit: int) -> list[Message]:
            self.leased.clear()
            return [*super().pull(limit)]

    world = Box(Twice(an_action("1"), an_action("2")))

    assert len(world.box.listed().letters) == 2
    assert world.is_as_before()


def test_a_look_ends_in_time_and_says_that_there_may_be_more() -> None:
    world = a_box(*(an_action(str(number)) for number in range(200)))
    world.elapsed = [0.0, 0.0, LOOK_S]

    listing = world.box.listed(1_000)

    assert (len(listing.letters), listing.more) == (50, True)
    assert world.is_as_before()


def test_what_was_seen_is_given_back_even_if_the_look_breaks_off() -> None:
    class Breaks(FakeLetters):
        def pull(self, limit: int) -> Any:
            if self.pulls:
                raise TemporaryFailure("away")
            return super().pull(limit)

    world = Box(Breaks(an_action("1")))

    with pytest.raises(TemporaryFailure):
        world.box.listed()
    assert world.is_as_before()


def test_a_list_does_not_depend_on_giving_back() -> None:
    world = a_box(an_action("1"))
    world.letters.fails["give_back"] = TemporaryFailure("away")

    assert len(world.box.listed().letters) == 1


def test_a_box_that_is_not_there_is_a_mistake() -> None:
    world = a_box()
    world.letters.fails["check"] = Mistake("there is none")

    for call in (world.box.listed, world.box.replay_all, lambda: world.box.replay(["1"])):
        with pytest.raises(Mistake):
            call()


def test_a_refused_action_is_due_again_and_its_letter_gone() -> None:
    world = a_box(an_action("1", "a"), an_action("2", "b")).settled("a", "b")

    results = world.box.replay(["1"])

    assert outcomes(results) == {"1": Outcome.REOPENED}
    assert world.due() == {"a"}
    assert set(world.letters.kept) == {"2"}
    assert world.is_as_before()


def test_an_event_that_could_not_be_decided_on_is_due_again() -> None:
    world = a_box(an_event("1", "1/event/e"))
    world.settled("1/event/e", outcome="given up", kind=Kind.EVENT)

    world.box.replay(["1"])

    assert world.due() == {"1/event/e"}


@pytest.mark.parametrize(
    "forwarded", [{}, {"CloudPubSubDeadLetterSourceSubscription": "s", "googclient_x": "y"}]
)
def test_a_message_that_never_became_work_is_published_again_as_it_was(
    forwarded: dict[str, str],
) -> None:
    world = a_box(unreadable("1", b"hello", **forwarded))

    results = world.box.replay(["1"])

    assert outcomes(results) == {"1": Outcome.PUBLISHED}
    assert world.events.published == [(b"hello", {"colour": "blue"})]
    assert not world.letters.kept


def test_a_letter_stays_while_its_message_cannot_be_published() -> None:
    world = a_box(unreadable("1"))
    world.events.failures = [PermanentFailure("the topic of events takes nothing")]

    (result,) = world.box.replay(["1"]).results

    assert (result.outcome, result.reason) == (Outcome.KEPT, "the topic of events takes nothing")
    assert set(world.letters.kept) == {"1"}
    assert world.is_as_before()


def test_a_letter_stays_while_the_ledger_does_not_answer() -> None:
    class Away(MemoryLedger):
        def reopen(self, key: str, *, now: datetime) -> bool:
            raise TemporaryFailure("the ledger is away")

    world = Box(FakeLetters(an_action("1"), unreadable("2")), ledger=Away()).settled("1")

    assert outcomes(world.box.replay_all()) == {"2": Outcome.PUBLISHED, "1": Outcome.KEPT}
    assert set(world.letters.kept) == {"1"}


def test_an_action_that_the_ledger_has_forgotten_is_refused_and_its_letter_stays() -> None:
    world = a_box(an_action("1"))

    (result,) = world.box.replay(["1"]).results

    assert result.outcome is Outcome.KEPT
    assert "keeps what is settled for 30 days" in result.reason
    assert set(world.letters.kept) == {"1"}


def test_an_action_that_was_delivered_meanwhile_is_not_delivered_again() -> None:
    world = a_box(an_action("1")).settled("1", outcome="delivered")

    (result,) = world.box.replay(["1"]).results

    assert (result.outcome, result.reason) == (
        Outcome.TAKEN,
        "it was settled meanwhile: delivered",
    )
    assert not world.due()
    assert not world.letters.kept


def test_a_replay_that_was_cut_off_before_the_letter_was_gone_can_be_repeated() -> None:
    world = a_box(an_action("1")).settled("1")
    world.letters.fails["take_away"] = TemporaryFailure("away")

    (first,) = world.box.replay(["1"]).results
    world.letters.fails.clear()
    (second,) = world.box.replay(["1"]).results

    assert first == Replayed(
        "1", Outcome.REOPENED, "due again now; the letter stays: away", first.letter
    )
    assert (second.outcome, second.reason) == (Outcome.TAKEN, "it is due already")
    assert world.due() == {"1"}
    assert not world.letters.kept


def test_an_id_that_is_not_there_is_named() -> None:
    world = a_box(an_action("1")).settled("1")

    results = world.box.replay(["9", "1", "9"])

    assert outcomes(results) == {"1": Outcome.REOPENED, "9": Outcome.NOT_FOUND}
    assert results.results[-1].reason == "it is not among the dead letters"


def test_an_id_that_could_not_be_looked_for_everywhere_says_so() -> None:
    world = a_box(*(an_action(str(number)) for number in range(60)))
    world.elapsed = [0.0, 0.0, LOOK_S]

    (result,) = world.box.replay(["99"]).results

    assert result.reason == "it is not among those that there was time to look at"


def test_to_replay_nothing_does_nothing() -> None:
    world = a_box(an_action("1")).settled("1")

    assert not world.box.replay([]).results
    assert world.letters.pulls == 0


def test_all_are_replayed_the_oldest_first() -> None:
    world = a_box(an_action("1"), unreadable("3"), an_action("2")).settled("1", "2")

    results = world.box.replay_all()

    assert [each.id for each in results.results] == ["3", "2", "1"]
    assert not results.more
    assert not world.letters.kept


def test_a_dry_run_says_what_would_become_of_each_and_changes_nothing() -> None:
    letters = [an_action("1", "a"), an_action("2", "a"), an_action("4", "b"), an_action("5", "c")]
    world = a_box(*letters, unreadable("3")).settled("a")
    world.settled("b", outcome="delivered")

    for results in (world.box.replay_all(dry_run=True), world.box.replay("12345", dry_run=True)):
        assert outcomes(results) == {
            "5": Outcome.KEPT,
            "4": Outcome.TAKEN,
            "3": Outcome.PUBLISHED,
            "2": Outcome.REOPENED,
            "1": Outcome.TAKEN,
        }
    assert set(world.letters.kept) == set("12345")
    assert (world.due(), world.events.published) == (set(), [])
    assert world.is_as_before()


def test_a_dry_run_says_the_same_as_the_replay_after_it() -> None:
    world = a_box(an_action("1"), unreadable("2"), an_action("3")).settled("1")

    would = world.box.replay_all(dry_run=True)

    assert world.box.replay_all() == would


def test_an_action_that_could_not_be_reopened_does_not_take_its_other_letter_away() -> None:
    class AwayOnce(MemoryLedger):
        def reopen(self, key: str, *, now: datetime) -> bool:
            if not failed:
                failed.append(key)
                raise TemporaryFailure("the ledger is away")
            return super().reopen(key, now=now)

    failed: list[str] = []
    world = Box(FakeLetters(an_action("1", "a"), an_action("2", "a")), ledger=AwayOnce())
    world.settled("a")

    assert outcomes(world.box.replay_all()) == {"2": Outcome.KEPT, "1": Outcome.REOPENED}


def test_a_letter_is_shown_with_what_it_holds() -> None:
    world = a_box(an_action("1"), an_action("2"))

    found = world.box.letter("1")

    assert found
    assert (found[0].id, found[1]) == ("1", b'{"secret": 1}')
    assert world.box.letter("9") is None
    assert world.is_as_before()


def test_what_becomes_a_dead_letter_again_meanwhile_is_not_replayed_again() -> None:
    world = a_box(unreadable("1"))

    class ComesBack(FakeTopic):
        def publish(self, data: bytes, attributes: Any) -> None:
            super().publish(data, attributes)
            world.letters.kept["2"] = unreadable("2")

    world.events = ComesBack()

    assert outcomes(world.box.replay_all()) == {"1": Outcome.PUBLISHED}
    assert set(world.letters.kept) == {"2"}


def test_two_letters_of_one_action_replay_it_once() -> None:
    class RefusedAtOnce(MemoryLedger):
        def reopen(self, key: str, *, now: datetime) -> bool:
            reopened.append(key)
            return True

    reopened: list[str] = []
    letters = FakeLetters(an_action("1", "a"), an_action("2", "a"))
    world = Box(letters, ledger=RefusedAtOnce()).settled("a")

    assert outcomes(world.box.replay_all()) == {"2": Outcome.REOPENED, "1": Outcome.TAKEN}
    assert reopened == ["a"]
    assert not letters.kept


def test_whoever_reopens_second_finds_it_due() -> None:
    class Slower(MemoryLedger):
        def reopen(self, key: str, *, now: datetime) -> bool:
            assert super().reopen(key, now=now)  # somebody else's
            return super().reopen(key, now=now)

    world = Box(FakeLetters(an_action("1")), ledger=Slower()).settled("1")

    (result,) = world.box.replay(["1"]).results

    assert (result.outcome, result.reason) == (Outcome.TAKEN, "it is due already")


def test_what_is_forgotten_at_the_last_moment_stays() -> None:
    class Forgets(MemoryLedger):
        def reopen(self, key: str, *, now: datetime) -> bool:
            return False

    world = Box(FakeLetters(an_action("1")), ledger=Forgets()).settled("1")

    (result,) = world.box.replay(["1"]).results

    assert (result.outcome, result.reason) == (Outcome.KEPT, "the ledger has just forgotten it")


def test_nothing_is_replayed_on_a_lease_that_may_have_run_out() -> None:
    world = a_box(an_action("1"), an_action("2")).settled("1", "2")
    world.elapsed = [0.0, 0.0, 0.0, 0.0, ACT_S]

    results = world.box.replay_all()

    assert outcomes(results) == {"2": Outcome.REOPENED, "1": Outcome.KEPT}
    assert results.results[-1].reason == "there was no time left; replay it again"
    assert world.is_as_before()


def test_a_replay_of_all_stops_before_it_holds_too_much() -> None:
    world = a_box(*(unreadable(str(number), bytes(30_000_000)) for number in range(5)))

    results = world.box.replay_all()

    assert (len(results.results), results.more) == (4, True)
    assert len(world.letters.kept) == 1
    assert world.is_as_before()
