"""The stand-ins of the story: dbt Cloud, Secret Manager and the vendors, served together."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.dbt_cloud.cloud import DbtCloud
from lab.mode import Mode
from lab.pagerduty import PagerDuty
from lab.secret_manager import SecretManager
from lab.secrets import Secrets
from lab.serve import serve
from lab.slack import Slack
from lab.tableau import Tableau
from lab.tableau_content import Content
from lab.timeline import Timeline

PROJECT = "afterrun-lab"
WEBHOOK_SECRET = "lab-webhook-secret"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
MODE_TOKEN, MODE_SECRET = "lab-mode-token", "lab-mode-secret"
WORKSPACE, REPORT = "teahouse", "5f4dcc3b5aa7"
SLACK_TOKEN, CHANNEL, CHANNEL_NAME = "xoxb-lab-slack-token", "C0TEAHOUSE", "data-alerts"
PAT_NAME, PAT_SECRET, WORKBOOK = "afterrun", "lab-tableau-secret", "Sales"

CONFIGURATION = Path(__file__).with_name("afterrun.yaml")


@dataclass(frozen=True)
class StandIns:
    """What is served, in the Google Cloud project `project`, and how to reach it.

    `secret_manager` is a host:port. `places` are the words of `lab/afterrun.yaml` that stand for
    addresses, with the addresses.
    """

    project: str
    timeline: Timeline
    cloud: DbtCloud
    pagerduty: PagerDuty
    slack: Slack
    mode: Mode
    tableau: Tableau
    secrets: Secrets
    secret_manager: str
    places: dict[str, str]

    def configuration(self, folder: Path, text: str | None = None) -> Path:
        """A configuration file, written into `folder` with the real addresses.

        `text` is what it says, `lab/afterrun.yaml` unless given.
        """
        text = text or CONFIGURATION.read_text(encoding="utf-8")
        for word, address in self.places.items():
            text = text.replace(word, address)
        path = folder / "afterrun.yaml"
        path.write_text(text, encoding="utf-8")
        return path


@contextmanager
def served(timeline: Timeline, project: str = PROJECT) -> Iterator[StandIns]:
    """All of them, while the block lasts."""
    cloud = DbtCloud(timeline)
    pagerduty = PagerDuty(ROUTING_KEY, timeline=timeline)
    mode = Mode(
        workspace=WORKSPACE,
        reports=[REPORT],
        token=MODE_TOKEN,
        secret=MODE_SECRET,
        timeline=timeline,
    )
    slack = Slack(
        token=SLACK_TOKEN,
        channels={CHANNEL: CHANNEL_NAME},
        webhook_path="/services/T0LAB/B0LAB/lab",
        timeline=timeline,
    )
    tableau = Tableau(
        site=WORKSPACE,
        pat_name=PAT_NAME,
        pat_secret=PAT_SECRET,
        workbooks=[Content(str(uuid.uuid4()), WORKBOOK)],
        timeline=timeline,
    )
    secrets = Secrets(project)
    with (
        cloud.running() as dbt_cloud,
        serve(pagerduty.app) as pagerduty_url,
        serve(slack.app) as slack_url,
        serve(mode.app) as mode_url,
        serve(tableau.app) as tableau_url,
        SecretManager(secrets).serve() as secret_manager,
    ):
        for name, value in {
            "dbt-webhook-secret": WEBHOOK_SECRET,
            "dbt-cloud-service-token": dbt_cloud.token,
            "pd-routing-key": ROUTING_KEY,
            "slack-bot": SLACK_TOKEN,
            "tableau-token": PAT_SECRET,
            "mode-token": MODE_TOKEN,
            "mode-secret": MODE_SECRET,
        }.items():
            secrets.put(name, value)
        places = {
            "ACCOUNT": str(cloud.account_id),
            "DBT_CLOUD_URL": dbt_cloud.base_url,
            "METADATA_URL": dbt_cloud.metadata_url,
            "PAGERDUTY_URL": pagerduty_url,
            "SLACK_URL": slack_url,
            "MODE_URL": mode_url,
            "TABLEAU_URL": tableau_url,
        }
        yield StandIns(
            project=project,
            timeline=timeline,
            cloud=cloud,
            pagerduty=pagerduty,
            slack=slack,
            mode=mode,
            tableau=tableau,
            secrets=secrets,
            secret_manager=secret_manager,
            places=places,
        )
