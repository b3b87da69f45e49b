"""The ledger of a rehearsal does what every ledger does, and a rehearsal on it tells the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.history import Entry
from cli.rehearsal import Rehearsal, Told
from cli.rehearsal_ledger import RehearsalLedger
from subscriber import configuration
from subscriber.ledger.contract import Kind, Ledger, Refusal, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.run import Answer, Status
from subscriber.yaml_lines import parse
from tests.builders import NOW, a_body, a_result

RULES = """
version: 1
dbt_cloud: {token: env:TOKEN}
destinations:
  oncall: {kind: pagerduty, routing_key: env:KEY}
  team: {kind: slack, webhook_url: env:SLACK}
rules:
  - name: page
    when: {outcome: failed}
    alert: {remind: 40m, after: {runs: 2}}
    then: [oncall]
  - name: nodes
    when: {outcome: [failed, warned], nodes: {name: "o*"}}
    alert: {per: node, after: {minutes: 20}, remind: 90m}
    then: [team]
  - name: each
    when: {outcome: succeeded, job: 2}
    then: [team]
"""
MINUTE = timedelta(minutes=1)


class OnAPlainLedger(Rehearsal):
    """A rehearsal as it would be with the ledger in memory that the service can have."""

    def _own_ledger(self) -> Ledger:
        return MemoryLedger()


class WithAShortMemory(Rehearsal):
    def _own_ledger(self) -> Ledger:
        return RehearsalLedger(self.ledger, recent=2)


@dataclass(frozen=True)
class Comes:
    """An event that comes so many minutes after the one before."""

    minutes: int
    job: int
    failed: tuple[str, ...]
    code: int
    kind: str
    is_final: bool
    again: bool

    def entry(self, run_id: int) -> Entry:
        results = [a_result(f"model.shop.{name}") for name in self.failed]
        good = {"orders", "other", "items"} - set(self.failed)
        results += [a_result(f"model.shop.{name}", status=Status.GOOD) for name in sorted(good)]
        body = a_body(
            event_id=f"wev_{run_id}_{self.kind}",
            event_type=f"job.run.{self.kind}",
            run_id=run_id,
            job_id=self.job,
            code=self.code,
        )
        return Entry(body, Answer(results=tuple(results), is_final=self.is_final))


COMES = st.builds(
    Comes,
    minutes=st.integers(0, 70),
    job=st.integers(1, 3),
    failed=st.lists(st.sampled_from(["orders", "other", "items"]), unique=True).map(tuple),
    code=st.sampled_from([10, 10, 20, 30]),
    kind=st.sampled_from(["completed", "completed", "errored"]),
    is_final=st.booleans(),
    again=st.booleans(),
)


def told(rehearsal: Rehearsal, story: Sequence[Comes]) -> list[Told]:
    at = NOW
    for number, comes in enumerate(story):
        at += comes.minutes * MINUTE
        entry = comes.entry(100 + number)
        rehearsal.hear(entry, at)
        if comes.again:
            rehearsal.hear(entry, at + MINUTE)
    rehearsal.until(at + timedelta(hours=5))
    return rehearsal.told


@given(story=st.lists(COMES, max_size=20))
@settings(max_examples=60)
def test_a_rehearsal_tells_the_same_as_on_the_plain_ledger(story: list[Comes]) -> None:
    read = configuration.read(*parse(RULES, "rules.yaml"))

    plain = told(OnAPlainLedger(read, NOW), story)

    assert told(Rehearsal(read, NOW), story) == plain
    assert told(WithAShortMemory(read, NOW), story) == plain


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["record", "claim", "postpone", "settle", "reopen", "decide"]),
        st.sampled_from("abcd"),
        st.integers(0, 30),
    ),
    max_size=40,
)


@given(operations=OPERATIONS)
def test_what_is_due_is_the_same_as_in_the_plain_ledger(
    operations: list[tuple[str, str, int]],
) -> None:
    plain, quick = MemoryLedger(), RehearsalLedger()
    now = NOW
    for what, key, minutes in operations:
        now += minutes * MINUTE
        assert done(plain, what, key, now) == done(quick, what, key, now)

        for limit in (1, 3):
            at = now + 5 * MINUTE
            assert due(quick, at, limit) == due(plain, at, limit)


def due(ledger: Ledger, at: datetime, limit: int) -> list[tuple[str, datetime | None]]:
    return [(work.key, work.due_at) for work in ledger.due(at, limit)]


def done(ledger: Ledger, what: str, key: str, now: datetime) -> object:
    work = Work(key, Kind.ACTION, {"n": 1}, recorded_at=now, due_at=now + 3 * MINUTE)
    match what:
        case "record":
            ledger.record(work)
            return None
        case "claim":
            claimed = ledger.claim(key, owner=key, now=now, lease=MINUTE)
            return claimed if isinstance(claimed, Refusal) else claimed.due_at
        case "postpone":
            return ledger.postpone(key, owner=key, due_at=now + 7 * MINUTE, result={})
        case "settle":
            return ledger.settle(key, owner=key, now=now, result={})
        case "reopen":
            return ledger.reopen(key, now=now)
    return ledger.decide([], [work])


def test_settled_events_are_forgotten_and_actions_are_not() -> None:
    ledger = RehearsalLedger(recent=3)
    for number in range(20):
        kind = Kind.EVENT if number % 2 else Kind.ACTION
        key = f"{kind}{number}"
        ledger.record(Work(key, kind, {}, recorded_at=NOW, due_at=NOW))
        ledger.claim(key, owner="us", now=NOW, lease=MINUTE)
        ledger.settle(key, owner="us", now=NOW, result={})

    events = ledger.recorded(Kind.EVENT, before=NOW + MINUTE, limit=100)
    actions = ledger.recorded(Kind.ACTION, before=NOW + MINUTE, limit=100)

    assert {work.key for work in events} == {"event17", "event19"}
    assert len(actions) == 10
