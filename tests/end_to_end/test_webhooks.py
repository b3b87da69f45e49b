"""A webhook's whole life, with the real receiver: made, sent to, rotated, and nothing refused."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.webhooks import connecting, places
from cli.webhooks.rotating import Rotation
from lab import functions, queue
from lab.dbt_cloud import access
from lab.dbt_cloud.cloud import DbtCloud
from lab.dbt_cloud.subscriptions import Subscription
from lab.functions import Function
from lab.pubsub.server import PubSub
from lab.secret_manager import SecretManager
from lab.secrets import Secrets
from tests.cli.running import Ran, afterrun

PROJECT = "webhooks"
CONFIGURATION = """
version: 1
dbt_cloud: {{base_url: {url}, token: "env:DBT_TOKEN"}}
destinations: {{oncall: {{kind: pagerduty, routing_key: "env:PD_KEY"}}}}
rules: [{{name: failures page, when: {{outcome: failed}}, then: [oncall]}}]
"""
NOT_THERE_YET = "http://127.0.0.1:9/"


@dataclass
class Account:
    """A dbt Cloud account, and what an operator of it has at hand."""

    cloud: DbtCloud
    secrets: Secrets
    environ: dict[str, str]
    folder: Path
    stack: ExitStack
    logged: list[dict[str, object]] = field(default_factory=list)

    def run(self, *arguments: str) -> Ran:
        ran = afterrun(*arguments, environ=self.environ)
        assert ran.code == 0, ran.err
        return ran

    def receiver(self, webhook_secrets: str) -> Function:
        """The receiver as a process, which refers to these secrets."""
        passed_on = ("PUBSUB_EMULATOR_HOST", "SECRET_MANAGER_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT")
        environ = {name: self.environ[name] for name in passed_on}
        return self.stack.enter_context(
            functions.running(
                "receiver",
                "function/main.py",
                "receive_webhook",
                environ | {"WEBHOOK_SECRETS": webhook_secrets},
                logged=self.logged.append,
                cwd=self.folder,
            )
        )

    def tell(self) -> dict[str, list[int | None]]:
        """A run ends, and every live webhook tells it: what each of them was answered."""
        told = self.cloud.subscriptions.tell(self.cloud.run(), "job.run.completed")
        ids = {event.id for event in told}
        return {
            each.id: [r.posted.status for r in each.receipts if r.event.id in ids]
            for each in self.live
        }

    def rotation(self, place: str, tell: Callable[[str], None]) -> Rotation:
        return Rotation(
            connecting.connected(self.environ, connecting.Wanted()),
            places.place(place, self.environ),
            tell,
            _fail_to_wait,
        )

    @property
    def live(self) -> list[Subscription]:
        return [each for each in self.cloud.subscriptions.all if each.active]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    cloud, secrets = DbtCloud(), Secrets(PROJECT)
    with (
        cloud.running() as served,
        SecretManager(secrets).serve() as secret_manager,
        PubSub().running() as pubsub,
        queue.connected(pubsub.host, PROJECT) as made,
        ExitStack() as stack,
    ):
        made.create_topics()
        configuration = tmp_path / "afterrun.yaml"
        configuration.write_text(CONFIGURATION.format(url=served.base_url))
        environ = {
            "AFTERRUN_CONFIG": str(configuration),
            "DBT_TOKEN": access.MANAGER_TOKEN,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": pubsub.host,
            "SECRET_MANAGER_EMULATOR_HOST": secret_manager,
        }
        yield Account(cloud, secrets, environ, tmp_path, stack)


def test_no_event_is_refused_from_the_first_webhook_to_the_one_that_took_its_place(
    account: Account,
) -> None:
    account.run("webhooks", "create", "--url", NOT_THERE_YET, "--secret", "secret:blue")
    (former,) = account.live
    receiver = account.receiver("secret:blue,secret:green")
    account.run("webhooks", "update", former.id, "--url", receiver.url)
    assert account.tell() == {former.id: [202]}
    account.run("webhooks", "test", former.id)
    answers: list[dict[str, list[int | None]]] = []

    account.rotation("secret:green", lambda _: answers.append(account.tell())).rotate(former.id)

    (now,) = account.live
    assert now.id != former.id
    assert account.tell() == {now.id: [202]}
    # before there were two, while there were, and before one was deleted
    assert answers == [
        {former.id: [202]},
        {former.id: [202], now.id: [202]},
        {former.id: [202], now.id: [202]},
    ]
    signed_with = [
        line["secret"] for line in account.logged if line["message"] == "event published"
    ]
    assert {"secret:blue", "secret:green"} == set(signed_with)
    # nor did a resend help: the receiver refused nothing
    assert not [line for line in account.logged if line["message"] == "webhook refused"]


def test_an_event_that_is_sent_by_hand_is_taken_and_one_without_a_signature_is_not(
    account: Account,
) -> None:
    account.secrets.put("blue", "hush")
    receiver = account.receiver("secret:blue")
    to = ("--url", receiver.url, "--secret", "secret:blue")

    assert account.run("send", "failed-model", *to, "--json").data["status"] == 202
    ran = afterrun("send", "failed-model", *to, "--unsigned", environ=account.environ)

    assert ran.code == 4
    assert "answered 401, as it should: it was not signed" in ran.out


def _fail_to_wait(seconds: float) -> None:
    pytest.fail("the receiver knows the new secret at once: nothing is to be waited for")
