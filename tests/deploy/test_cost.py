"""What an event and a tick cost in the ledger: the figures that docs/cost.md reckons with."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from subscriber.ledger.firestore import FirestoreLedger
from subscriber.ledger.firestore_database import Database, Document
from subscriber.ledger.firestore_queries import Query
from subscriber.rules import Rule
from tests.builders import a_body, a_good_body
from tests.emulators import ON_FIRESTORE
from tests.subscriber.story import PAGE as PAGE_RULE
from tests.subscriber.story import REFRESH, Story

pytestmark = ON_FIRESTORE

PAGE = (Path(__file__).parent.parent.parent / "docs/cost.md").read_text(encoding="utf-8")


class Counted(Database):
    """A database that counts as Google does: documents read, one at least a query; and written."""

    def __init__(self, project: str, host: str) -> None:
        super().__init__(project, "(default)", host, 5.0)
        self.counts: Counter[str] = Counter()

    def read(
        self, collection: str, keys: Sequence[str], fields: Sequence[str] | None = None
    ) -> list[Document]:
        self.counts["reads"] += len(set(keys))
        return super().read(collection, keys, fields)

    def find(self, query: Query, page: int) -> Iterator[Document]:
        found = list(super().find(query, page))
        self.counts["reads"] += max(1, len(found))
        yield from found

    def write(self, documents: Sequence[Document]) -> bool:
        is_written = super().write(documents)
        if is_written:
            self.counts["writes"] += len(documents)
            # each of them is deleted once it has expired
            self.counts["deletes"] += sum(not each.version for each in documents)
        return is_written


@pytest.fixture
def counted(firestore_emulator: str) -> Counted:
    return Counted(f"cost-{uuid4().hex[:12]}", firestore_emulator)


@pytest.fixture
def story(counted: Counted) -> Story:
    """A subscriber that has seen one good run, so that what is made once has been made."""
    return _story(counted, rules=(PAGE_RULE, REFRESH))


def _story(counted: Counted, rules: tuple[Rule, ...]) -> Story:
    ledger = FirestoreLedger("unused", "(default)", "127.0.0.1:9")
    ledger._store = counted
    story = Story(ledger=ledger, rules=rules)
    story.comes(a_good_body(event_id="wev_0", run_id=99))
    counted.counts.clear()
    return story


def figures(name: str) -> dict[str, int]:
    """What the page has in the row of that name."""
    found = re.search(rf"(?m)^\| {re.escape(name)} \| (\d+) \| (\d+) \| (\d+) \|", PAGE)
    assert found is not None, f"docs/cost.md has no row {name}"
    return {"reads": int(found[1]), "writes": int(found[2]), "deletes": int(found[3])}


def cost(counted: Counted) -> dict[str, int]:
    return {name: counted.counts[name] for name in ("reads", "writes", "deletes")}


def test_an_idle_tick(counted: Counted, story: Story) -> None:
    story.ticks()

    assert cost(counted) == figures("a tick with nothing due")


def test_an_event_that_nothing_concerns(counted: Counted, story: Story) -> None:
    story.comes(a_body(event_id="wev_1", run_id=100, environmentName="Staging"))

    assert cost(counted) == figures("an event that no rule concerns")


def test_a_good_run_that_refreshes_a_report(counted: Counted, story: Story) -> None:
    story.comes(a_good_body(event_id="wev_1", run_id=100))

    assert cost(counted) == figures("a good run that refreshes one report")


def test_a_failed_run_that_opens_an_alert(counted: Counted, story: Story) -> None:
    story.comes(a_body(event_id="wev_1", run_id=100))

    assert cost(counted) == figures("a failed run that opens one alert")


def test_a_failed_run_whose_alert_is_open(counted: Counted, story: Story) -> None:
    story.comes(a_body(event_id="wev_1", run_id=100))
    counted.counts.clear()

    story.comes(a_body(event_id="wev_2", run_id=101))

    assert cost(counted) == figures("a failed run whose alert is open")


def test_a_good_run_that_closes_the_alert(counted: Counted) -> None:
    story = _story(counted, rules=(PAGE_RULE,))
    story.comes(a_body(event_id="wev_1", run_id=100))
    counted.counts.clear()

    story.comes(a_good_body(event_id="wev_2", run_id=101))

    assert cost(counted) == figures("a good run that closes one alert")


def test_a_failed_run_told_as_errored_before_it_is_completed(
    counted: Counted, story: Story
) -> None:
    story.comes(a_body(event_id="wev_1", run_id=100, event_type="job.run.errored"))

    assert cost(counted) == figures("a failed run, told as errored first")


def test_the_same_run_told_a_second_time(counted: Counted, story: Story) -> None:
    story.comes(a_good_body(event_id="wev_1", run_id=100))
    counted.counts.clear()

    story.comes(a_good_body(event_id="wev_2", run_id=100))

    assert cost(counted) == figures("the second event of a run")
