"""The other sides of `afterrun webhooks`: dbt Cloud, Secret Manager, and a receiver."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.dbt_cloud import access
from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.dbt_cloud.subscription_request import Wanted
from lab.dbt_cloud.subscriptions import Subscription
from lab.faults import Faults, WithFaults
from lab.secret_manager import SecretManager
from lab.secrets import Secrets
from lab.serve import serve
from tests.cli.running import Ran, afterrun

PLACE = "secret:dbt-webhook"
TOKEN_VARIABLE = "DBT_TOKEN"
CONFIGURATION = """
version: 1
dbt_cloud: {{base_url: {url}, token: "env:DBT_TOKEN"{accounts}}}
destinations:
  oncall: {{kind: pagerduty, routing_key: "env:PD_KEY"}}
rules:
  - {{name: failures page, when: {{outcome: failed}}, then: [oncall]}}
"""


@dataclass
class Receiver:
    """Takes what is signed with one of the secrets that its places hold; reads them each time."""

    secrets: Secrets
    places: list[str] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    url: str = ""

    async def take(self, request: Request) -> Response:
        body = await request.body()
        shown = request.headers.get("authorization", "")
        if not any(_sign(body, value) == shown for value in self._values()):
            self.refused.append(json.loads(body))
            return JSONResponse({"error": "invalid signature"}, status_code=401)
        self.taken.append(json.loads(body))
        return JSONResponse({"eventId": "…", "messageId": "1"}, status_code=202)

    def _values(self) -> Iterator[str]:
        for place in self.places:
            scheme, _, name = place.partition(":")
            if scheme == "file" and Path(name).is_file():
                yield Path(name).read_text()
            elif scheme == "secret" and self.secrets.values(name):
                yield self.secrets.values(name)[-1]


@dataclass
class Side:
    """What runs, and a configuration that names it."""

    cloud: DbtCloud
    served: Served
    secrets: Secrets
    manager: SecretManager
    receiver: Receiver
    folder: Path
    environ: dict[str, str]

    def run(self, *arguments: str, answers: str = "", columns: int = 80, **environ: str) -> Ran:
        """`afterrun webhooks ARGUMENTS`, with a token that may manage webhooks."""
        told = {**self.environ, **environ}
        return afterrun("webhooks", *arguments, environ=told, answers=answers, columns=columns)

    def create(self, *arguments: str, secret: str = PLACE) -> Ran:
        return self.run("create", "--url", self.receiver.url, "--secret", secret, *arguments)

    def made(self, secret: str = PLACE, *arguments: str) -> Subscription:
        """A webhook whose secret the receiver knows."""
        ran = self.create(*arguments, secret=secret)
        assert ran.code == 0, ran.err
        self.receiver.places.append(secret)
        return self.all[-1]

    def had(self, **changes: Any) -> Subscription:
        """A webhook that somebody made by hand."""
        fields: dict[str, Any] = {
            "name": "Afterrun",
            "client_url": self.receiver.url,
            "active": True,
            "event_types": ("job.run.completed", "job.run.errored"),
            "job_ids": (),
        }
        return self.cloud.subscriptions.create(Wanted(**fields | changes))

    def tell(self) -> None:
        self.cloud.subscriptions.tell(self.cloud.run(), "job.run.completed")

    @property
    def all(self) -> list[Subscription]:
        return self.cloud.subscriptions.all

    def configure(self, **accounts: object) -> None:
        """Write the configuration; `accounts` as it has them."""
        said = f", accounts: {accounts['accounts']}" if accounts else ""
        text = CONFIGURATION.format(url=self.served.base_url, accounts=said)
        (self.folder / "afterrun.yaml").write_text(text)


@contextmanager
def running(folder: Path) -> Iterator[Side]:
    cloud = DbtCloud()
    cloud.subscriptions.pauses_s = ()
    secrets = Secrets("acme")
    manager = SecretManager(secrets)
    receiver = Receiver(secrets)
    app = Starlette(routes=[Route("/{path:path}", receiver.take, methods=["POST"])])
    with (
        cloud.running() as served,
        manager.serve() as secret_manager,
        serve(WithFaults(app, receiver.faults)) as url,
    ):
        receiver.url = f"{url}/"
        environ = {
            "AFTERRUN_CONFIG": str(folder / "afterrun.yaml"),
            "GOOGLE_CLOUD_PROJECT": "acme",
            "SECRET_MANAGER_EMULATOR_HOST": secret_manager,
            TOKEN_VARIABLE: access.MANAGER_TOKEN,
        }
        side = Side(cloud, served, secrets, manager, receiver, folder, environ)
        side.configure(accounts=[cloud.account_id])
        yield side


def _sign(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
