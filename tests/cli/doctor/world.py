"""A deployment in the lab: what a doctor looks at, each part of which a test may break."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import google_apis, queue, stand_ins
from lab.dbt_cloud.subscription_request import Wanted
from lab.google_apis import GoogleApis
from lab.pubsub.server import PubSub
from lab.queue import Queue
from lab.serve import serve
from lab.stand_ins import StandIns
from lab.timeline import Timeline
from subscriber.ledger.sqlite import SqliteLedger
from tests.cli.running import Ran, afterrun

REGION = "europe-west1"
WEBHOOK = Wanted(
    name="afterrun",
    client_url=f"https://afterrun-receiver-123456789.{REGION}.run.app/",
    active=True,
    event_types=("job.run.completed", "job.run.errored"),
    job_ids=(),
)


@dataclass(frozen=True)
class World:
    """`google` is what tells of the deployment, `queue` its Pub/Sub, `stands` everything else."""

    stands: StandIns
    google: GoogleApis
    queue: Queue
    ledger: SqliteLedger
    environ: Mapping[str, str] = field(repr=False)

    def doctor(
        self, *arguments: str, environ: Mapping[str, str] | None = None, columns: int = 80
    ) -> Ran:
        """`afterrun doctor` on it; `environ` stands in place of what it is told else."""
        told = {**self.environ, **(environ or {})}
        return afterrun("doctor", *arguments, environ=told, columns=columns)

    def found(self, *arguments: str) -> dict[str, tuple[str, str, str]]:
        """Each finding's state, text and fix by its name; of several, the worst."""
        worst = ["ok", "skipped", "warn", "fails"]
        found: dict[str, tuple[str, str, str]] = {}
        for each in self.doctor(*arguments, "--json").data["findings"]:
            before = found.get(each["name"])
            if before is None or worst.index(each["state"]) > worst.index(before[0]):
                found[each["name"]] = (each["state"], each["said"], each["mend"])
        return found


@contextmanager
def a_world(folder: Path) -> Iterator[World]:
    """All of it, as README.md makes it, while the block lasts."""
    google = GoogleApis()
    with (
        stand_ins.served(Timeline()) as stands,
        PubSub().running() as pubsub,
        queue.connected(pubsub.host, stands.project) as made,
        serve(google.app) as google_url,
    ):
        made.create_topics()
        made.push_to("http://127.0.0.1:9/")
        stands.cloud.subscriptions.create(WEBHOOK)
        google_apis.deployed(google, stands.project, REGION, queue.AUDIENCE)
        ledger = SqliteLedger(folder / "afterrun.db")
        ledger.check()
        environ = {
            "AFTERRUN_CONFIG": str(stands.configuration(folder)),
            "GOOGLE_CLOUD_PROJECT": stands.project,
            "LEDGER": f"sqlite:{folder / 'afterrun.db'}",
            "PUBSUB_EMULATOR_HOST": pubsub.host,
            "SECRET_MANAGER_EMULATOR_HOST": stands.secret_manager,
            "GOOGLE_APIS_EMULATOR_HOST": google_url.removeprefix("http://"),
        }
        yield World(stands, google, made, ledger, environ)
        ledger.close()
