"""A fortnight of runs in the lab's dbt Cloud, and a configuration that asks it about them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab.dbt_cloud.cloud import DbtCloud, Served

DAYS = 14

RULES = """
version: 1
dbt_cloud: {{token: env:LAB_TOKEN, base_url: "{served.base_url}",
            metadata_url: "{served.metadata_url}/graphql"}}
destinations:
  oncall: {{kind: pagerduty, routing_key: secret:not-readable-here}}
  team: {{kind: slack, webhook_url: secret:nor-is-this}}
rules:
  - name: production failures page
    when: {{outcome: failed, environment: Production}}
    alert: {{remind: 12h}}
    then: [oncall]
  - name: staging is told
    when: {{outcome: failed, environment: Staging}}
    then: [team]
"""


@dataclass(frozen=True)
class Fortnight:
    """`environ` is what a command needs; `folder` holds `afterrun.yaml`."""

    cloud: DbtCloud
    served: Served
    folder: Path

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            "AFTERRUN_CONFIG": str(self.folder / "afterrun.yaml"),
            "LAB_TOKEN": self.served.token,
        }

    def configured(self, rules: str = RULES, name: str = "afterrun.yaml") -> str:
        path = self.folder / name
        path.write_text(rules.format(served=self.served))
        return str(path)

    def asked(self, part: str) -> int:
        """How many calls of the Admin API had `part` in their path."""
        return sum(part in call.path for call in self.cloud.admin_calls.all)


@contextmanager
def a_fortnight(folder: Path) -> Iterator[Fortnight]:
    """A nightly job that fails on two nights in a row, and an hourly one that is well."""
    cloud = DbtCloud()
    hourly = cloud.add_job("Hourly build", cloud.add_environment("Staging"))
    began = datetime.now(UTC) - timedelta(days=DAYS - 0.5)
    for day in range(DAYS):
        at = began + timedelta(days=day)
        cloud.run(sample="model_error" if day in (5, 6) else "success", at=at)
        for hour in range(1, 4):
            cloud.run(hourly, at=at + timedelta(hours=hour))
    cloud.start()
    with cloud.running() as served:
        found = Fortnight(cloud, served, folder)
        found.configured()
        yield found
