"""What a deployment calls its things: as README.md, cloudbuild.yaml and `deploy/` make them."""

from dataclasses import dataclass

RECEIVER, SUBSCRIBER = "afterrun-receiver", "afterrun-subscriber"
TICKS = "dbt-cloud-ticks"
"""Of the topic, and of its subscription."""
TICK = "dbt-cloud-tick"
"""The scheduler's job."""

PUBSUB_AGENT = "@gcp-sa-pubsub.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Accounts:
    """The service accounts of a project, each by its e-mail address."""

    project: str

    @property
    def receiver(self) -> str:
        return self._of("receiver")

    @property
    def subscriber(self) -> str:
        return self._of("subscriber")

    @property
    def push(self) -> str:
        return self._of("push")

    @property
    def pubsub_agent(self) -> str:
        """Pub/Sub's own, as a shell makes its name: it has the project's number in it."""
        number = f"$(gcloud projects describe {self.project} --format='value(projectNumber)')"
        return f"service-{number}{PUBSUB_AGENT}"

    def _of(self, name: str) -> str:
        return f"afterrun-{name}@{self.project}.iam.gserviceaccount.com"


def member(account: str) -> str:
    return f"serviceAccount:{account}"
