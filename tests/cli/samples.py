"""Makes `cli/samples` anew: `python -m tests.cli.samples`. No network but loopback; two seconds.

What real dbt wrote once (`lab/samples/runs`) happens in the lab's dbt Cloud, and the service's own
client asks about it. So a sample is what the service would read. Times and ids are fixed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli import history, sample
from cli.history import Entry
from lab.dbt_cloud import events, variations
from lab.dbt_cloud import samples as recorded
from lab.dbt_cloud.cloud import DbtCloud as Cloud
from lab.dbt_cloud.cloud import Served
from lab.dbt_cloud.events import Event, EventType
from lab.dbt_cloud.samples import Sample
from lab.dbt_cloud.state import CauseCategory
from shared import event
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.ask import DbtCloud
from subscriber.dbt_cloud.discovery import Discovery
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound
from subscriber.run import Question

FOLDER = Path(history.__file__).parent / "samples"
BEGINS = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
NIGHT = timedelta(days=1)
WEBHOOK = {"webhook_id": "wsu_sample", "webhook_name": "Afterrun"}


@dataclass(frozen=True)
class Happened:
    """A run that went as `run` did; what dbt Cloud told of it, and why it began."""

    run: Sample
    told: EventType = "job.run.completed"
    cause: CauseCategory = "scheduled"


def happenings() -> dict[str, list[Happened]]:
    """What happens in each sample, night after night; what it is a sample of comes last."""
    good, model = recorded.load("success"), recorded.load("model_error")
    alone = {
        "failed-model": Happened(model),
        "failed-test": Happened(recorded.load("failing_test")),
        "failed-seed": Happened(recorded.load("seed_failure")),
        "failed-many": Happened(variations.large(good, 60, 45)),
        "failed-ci": Happened(model, cause="ci"),
        "compile-error": Happened(recorded.load("compile_error")),
        "clone-failure": Happened(recorded.load("clone_failure"), "job.run.errored"),
        "freshness": Happened(recorded.load("source_freshness")),
        "freshness-warned": Happened(recorded.load("tolerated_freshness")),
        "warned": Happened(recorded.load("warning")),
        "succeeded": Happened(good),
        "started": Happened(good, "job.run.started"),
        "cancelled": Happened(recorded.load("cancelled")),
    }
    other = variations.failing(good, "stock_to_order", "customers")
    return {name: [each] for name, each in alone.items()} | {
        "changed": [Happened(model), Happened(other)],
        "recovered": [Happened(model), Happened(good)],
    }


def made() -> dict[str, list[Entry]]:
    """Every sample: the entries of its file, as `sample.story` has them."""
    cloud = Cloud()
    with cloud.running() as served:
        asker = _asker(served)
        found = {
            name: list(_entries(cloud, asker, name, nights))
            for name, nights in happenings().items()
        }
        test = events.endpoint_test(BEGINS, **WEBHOOK)
        found["test-endpoint"] = [_entry(asker, test, "wev_sample_test_endpoint")]
    return found


def _entries(cloud: Cloud, asker: DbtCloud, name: str, nights: list[Happened]) -> Iterator[Entry]:
    for night, happened in enumerate(nights):
        run = cloud.start(cause_category=happened.cause, at=BEGINS + night * NIGHT)
        if happened.told != "job.run.started":
            cloud.finish(run, happened.run)
        told = events.of(run, happened.told, **WEBHOOK)
        number = f"_{night + 1}" if len(nights) > 1 else ""
        yield _entry(asker, told, f"wev_sample_{name.replace('-', '_')}{number}")


def _entry(asker: DbtCloud, told: Event, event_id: str) -> Entry:
    body = json.dumps(json.loads(told.body) | {"eventId": event_id}).encode()
    return Entry(body, asker.about(event.read(body), Question(results="all")))


def _asker(served: Served) -> DbtCloud:
    def token() -> str:
        return served.token

    return DbtCloud(
        admin=Admin(served.base_url, token, Outbound()),
        discovery=Discovery(f"{served.metadata_url}/graphql", token, Outbound()),
        ledger=MemoryLedger(),
        accounts=frozenset(),
        clock=lambda: BEGINS,
    )


def main() -> None:
    for old in FOLDER.glob("*.jsonl"):
        old.unlink()
    for name, entries in made().items():
        history.write(FOLDER / f"{name}{sample.SUFFIX}", entries)


if __name__ == "__main__":
    main()
