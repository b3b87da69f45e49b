"""The newest that a ledger has recorded: read in pages, as far back as is wanted."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from subscriber.ledger.contract import Kind, Ledger, Work

PAGE = 100
AT_ONCE = 8  # reads on their way to a ledger that is far away
CLOCKS_DIFFER = timedelta(minutes=5)  # between the subscriber's machine and this one

_MOMENT = timedelta(microseconds=1)


def newest(ledger: Ledger, kind: Kind, now: datetime, page: int = PAGE) -> Iterator[Work]:
    """Work of a kind, the newest first, each once; a page is read when it is come to."""
    before, seen = now + CLOCKS_DIFFER, set[str]()
    while True:
        found = ledger.recorded(kind, before=before, limit=page)
        yield from (work for work in found if work.key not in seen)
        if len(found) < page:
            return
        # others may have been recorded at the very moment at which the page ends
        oldest = found[-1].recorded_at
        seen = {work.key for work in found if work.recorded_at == oldest}
        if oldest + _MOMENT == before:
            page *= 2
        before = oldest + _MOMENT


def works(ledger: Ledger, keys: Iterable[str]) -> Mapping[str, Work | None]:
    """What is recorded as each of `keys`; None where nothing is, or not any more."""
    wanted = list(dict.fromkeys(keys))
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="reading") as pool:
        return dict(zip(wanted, pool.map(ledger.work, wanted), strict=True))
