"""What memory adds: it does not fill up."""

from subscriber.ledger.contract import KEEP_SETTLED, Change, Settlement, Subject
from subscriber.ledger.memory import FORGET_AT_ONCE, MemoryLedger
from tests.subscriber.ledger.builders import LEASE, NOW, SECOND, some_work


def test_expired_work_is_removed_a_little_with_each_settlement() -> None:
    ledger = MemoryLedger()
    old = [f"old/{number}" for number in range(FORGET_AT_ONCE + 1)]
    for key in old:
        ledger.record(some_work(key, due_at=None))
    end = NOW + KEEP_SETTLED

    for number, left in enumerate((1, 0)):
        ledger.record(some_work(f"new/{number}", recorded_at=end))
        ledger.claim(f"new/{number}", owner="me", now=end, lease=LEASE)
        ledger.settle(f"new/{number}", owner="me", now=end, result={})

        assert sum(ledger.work(key) is not None for key in old) == left


def test_expired_subjects_are_removed_a_little_with_each_settlement() -> None:
    ledger = MemoryLedger()
    old = [f"old/{number}" for number in range(FORGET_AT_ONCE + 1)]
    for key in old:
        ledger.decide([Change(Subject(key, {}), {}, expire_at=NOW)], [])
    ledger.decide([Change(Subject("later", {}), {}, expire_at=NOW + SECOND)], [])
    ledger.decide([Change(Subject("never", {}), {})], [])

    for number, left in enumerate((1, 0)):
        ledger.record(some_work(f"new/{number}"))
        ledger.claim(f"new/{number}", owner="me", now=NOW, lease=LEASE)
        ledger.decide([], [], Settlement(f"new/{number}", "me", NOW, {}))

        there = [subject for subject in ledger.subjects(old) if subject.version]
        assert len(there) == left
    assert all(subject.version for subject in ledger.subjects(["later", "never"]))
