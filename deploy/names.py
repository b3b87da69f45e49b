"""What a deployment consists of, by name. One project holds one of each."""

from dataclasses import dataclass

from cli import deployed
from shared.settings import DEFAULT_TOPIC
from subscriber.settings import DEFAULT_DEAD_LETTERS

RECEIVER, SUBSCRIBER, PUSH = deployed.RECEIVER, deployed.SUBSCRIBER, deployed.PUSH
EVENTS, DEAD_LETTERS = DEFAULT_TOPIC, DEFAULT_DEAD_LETTERS
TICKS, TICK_JOB = deployed.TICKS, deployed.TICK_JOB

PREFIX = "afterrun-"
ACCOUNTS = {
    RECEIVER: "runs the receiver",
    SUBSCRIBER: "runs the subscriber",
    PUSH: "pushes of Pub/Sub",
}
BUILD = "afterrun-build"

DATABASE = "afterrun"
REPOSITORY = "afterrun"
WEBHOOK_SECRET = "dbt-cloud-webhook"  # noqa: S105 - its name
CONFIG_SECRET = "afterrun-config"  # noqa: S105 - its name
CONFIG_PATH = "/etc/afterrun/afterrun.yaml"


@dataclass(frozen=True)
class Deployment:
    """What two deployments may differ in.

    `number` is the project's, `config_file` the configuration with `config_text` in it, `secrets`
    those of this project that it refers to, with what each is for. `version` names all that a
    service is deployed with: it changes when any of that does. `image` is one that exists; without
    one, it is built. `notify` is told when something is wrong. `dbt_token` is where a token is
    that may manage dbt Cloud's webhooks, if the configuration's may not.
    """

    project: str
    region: str
    config_file: str
    config_text: str
    secrets: tuple[str, ...]
    version: str
    image: str = ""
    notify: str = ""
    dbt_token: str = ""
    number: str = "${NUMBER}"

    def account(self, name: str) -> str:
        return f"{name}@{self.project}.iam.gserviceaccount.com"

    def member(self, name: str) -> str:
        return f"serviceAccount:{self.account(name)}"

    @property
    def pubsub_agent(self) -> str:
        """Who forwards dead letters, on behalf of Pub/Sub."""
        return f"serviceAccount:service-{self.number}{deployed.PUBSUB_AGENT}"

    def url(self, service: str) -> str:
        """The address that Cloud Run gives a service, known before it is there."""
        return f"https://{service}-{self.number}.{self.region}.run.app"

    @property
    def bucket(self) -> str:
        return f"gs://{self.project}-afterrun-build"

    @property
    def _channel(self) -> str:
        """What tells the notification channel from others."""
        address = f' AND labels.email_address="{self.notify}"' if self.notify else ""
        return f'type="email" AND user_labels.app="afterrun"{address}'

    def learned(self) -> dict[str, tuple[str, ...]]:
        """The commands that print what cannot be known before, by the name it has elsewhere."""
        return {
            "NUMBER": (
                *("gcloud", "projects", "describe", self.project),
                "--format=value(projectNumber)",
            ),
            "CONFIG_VERSION": (
                *("gcloud", "secrets", "versions", "describe", "latest"),
                f"--secret={CONFIG_SECRET}",
                f"--project={self.project}",
                "--format=value(name.basename())",
            ),
            "CHANNEL": (
                *("gcloud", "beta", "monitoring", "channels", "list"),
                f"--filter={self._channel}",
                f"--project={self.project}",
                "--format=value(name)",
            ),
        }
