"""What memory adds: it does not fill up."""

from subscriber.ledger.contract import KEEP_SETTLED
from subscriber.ledger.memory import FORGET_AT_ONCE, MemoryLedger
from tests.subscriber.ledger.builders import LEASE, NOW, some_work


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
