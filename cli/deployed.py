"""What a deployment calls its things, as `deploy/` makes them where nobody says otherwise."""

from dataclasses import dataclass

RECEIVER, SUBSCRIBER = "afterrun-receiver", "afterrun-subscriber"
"""Of a service, and of the account that it runs as."""
PUSH = "afterrun-push"
"""The account of Pub/Sub's pushes."""
TICKS = "dbt-cloud-ticks"
"""Of the topic, and of its subscription."""
TICK_JOB = "dbt-cloud-tick"
"""The scheduler's job."""

PUBSUB_AGENT = "@gcp-sa-pubsub.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Accounts:
    """The service accounts of a project, each by its e-mail address."""

    project: str

    @property
    def receiver(self) -> str:
        return self._of(RECEIVER)

    @property
    def subscriber(self) -> str:
        return self._of(SUBSCRIBER)

    @property
    def push(self) -> str:
        return self._of(PUSH)

    @property
    def pubsub_agent(self) -> str:
        """Pub/Sub's own, as a shell makes its name: it has the project's number in it."""
        number = f"$(gcloud projects describe {self.project} --format='value(projectNumber)')"
        return f"service-{number}{PUBSUB_AGENT}"

    def _of(self, name: str) -> str:
        return f"{name}@{self.project}.iam.gserviceaccount.com"


def member(account: str) -> str:
    return f"serviceAccount:{account}"
