"""A deployment as tests make it: the real gcloud, and Google on loopback behind it."""

import copy
import json
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from deploy import reading
from deploy.choosing import chosen
from deploy.gcloud import Answer
from deploy.names import Deployment
from deploy.runner import Outcome, Runner
from deploy.step import Command, Step
from deploy.steps import steps
from tests.deploy.google import NUMBER, Google
from tests.deploy.real_gcloud import ROOT, Gcloud

PROJECT, REGION = "acme-data-1", "europe-west1"
ACCOUNT = "ops@acme.com"
IMAGE = f"{REGION}-docker.pkg.dev/{PROJECT}/images/afterrun:v1"
VALUE = "the-value-that-nobody-may-see"

CONFIG = """\
version: 1
dbt_cloud:
  host: ab123.us1.dbt.com
  token: secret:dbt-cloud-service-token
destinations:
  oncall: {kind: pagerduty, routing_key: secret:pd-routing-key}
  people: {kind: slack, webhook_url: secret:slack-data-alerts@3}
rules:
  - name: failures
    when: {outcome: failed}
    then: [oncall, people]
"""


def a_deployment(folder: Path, *, image: str = "", notify: str = ACCOUNT) -> Deployment:
    config = folder / "afterrun.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return replace(reading.read(PROJECT, REGION, config, image, notify), number=NUMBER)


@dataclass
class Cloud:
    """Runs commands as `deploy.gcloud.run` does. `webhooks` are those of dbt Cloud."""

    gcloud: Gcloud
    google: Google
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    ran: list[Command] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    dbt_refuses: str = ""
    made: dict[str, Any] = field(default_factory=dict)

    def run(self, command: Command, typed: str | None = None) -> Answer:
        self.ran.append(command)
        answer = self._run(command, typed)
        self.printed += [answer.out, answer.err]
        return answer

    def _run(self, command: Command, typed: str | None) -> Answer:
        if command[0] == "afterrun":
            return self._afterrun(command)
        if command[:3] == ("gcloud", "auth", "list"):
            return Answer(0, f"{ACCOUNT}\n")
        if command[:3] == ("gcloud", "builds", "submit"):
            understood = self.gcloud.parse(command)
            return self._build(command) if not understood.code else understood
        return self.gcloud.run(command, typed)

    def _build(self, command: Command) -> Answer:
        """What Cloud Build does with the steps that deploy."""
        (given,) = [each for each in command if each.startswith("--substitutions=")]
        pairs = dict(each.split("=", 1) for each in given.partition("=")[2].split(","))
        answer = Answer(0)
        for arguments in deploy_steps(pairs):
            answer = self.gcloud.run(("gcloud", *arguments, f"--project={PROJECT}"))
            if answer.code:
                return answer
        return answer

    def _afterrun(self, command: Command) -> Answer:
        if self.dbt_refuses:
            return Answer(4, "", self.dbt_refuses)
        words = dict(word.partition("=")[::2] for word in command if word.startswith("--"))
        if command[2] == "create":
            self.webhooks.append({"id": "wsu_1", "url": words["--url"], "active": True})
        if command[2] == "delete":
            self.webhooks = [each for each in self.webhooks if each["id"] != command[3]]
        return Answer(0, json.dumps(self.webhooks))

    def runner(self, it: Deployment) -> Runner:
        return Runner(
            it,
            self.run,
            secret=lambda name: f"{VALUE}-{name}",
            agrees=lambda _: True,
            wait=lambda _: None,
            say=self.said.append,
        )

    def up(self, it: Deployment, *parts: str) -> dict[str, Outcome]:
        """What became of each step, or of each of some parts."""
        runner = self.runner(it)
        return {step.what: runner.make(step) for step in chosen(steps(it), parts, "")}

    def deploy(self, it: Deployment) -> None:
        """As `up`, but what has been made once for another test is put there as it was then."""
        key = it.image
        if key not in self.made:
            self.up(it)
            google = self.google
            self.made[key] = (google.things, google.policies, self.webhooks)
        things, policies, webhooks = copy.deepcopy(self.made[key])
        self.google.things, self.google.policies, self.webhooks = things, policies, webhooks
        self.google.changes.clear()

    def down(self, it: Deployment, *, with_data: bool) -> dict[str, Outcome]:
        runner = self.runner(it)
        undone = [step for step in reversed(steps(it)) if step.undo]
        return {step.what: runner.undo(step, with_data=with_data) for step in undone}


def deploy_steps(given: Mapping[str, str]) -> list[list[str]]:
    """The arguments of cloudbuild.yaml's steps that deploy, with the substitutions put in."""
    build = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text(encoding="utf-8"))
    known = {"PROJECT_ID": PROJECT, "PROJECT_NUMBER": NUMBER, "BUILD_ID": "b1"}
    known |= {**build["substitutions"], **given}
    return [
        [_substituted(argument, known) for argument in step["args"]]
        for step in build["steps"]
        if str(step["id"]).startswith("deploy ")
    ]


def _substituted(text: str, known: Mapping[str, str]) -> str:
    # a substitution may hold others; no name begins another one that is used
    for _ in range(3):
        for name in sorted(known, key=len, reverse=True):
            text = text.replace(f"${{{name}}}", known[name]).replace(f"${name}", known[name])
    return text


def commands(steps: list[Step]) -> list[Command]:
    """Every command of these steps."""
    return [
        command
        for step in steps
        for look in (step.look, step.still)
        for command in (
            *step.make,
            *step.change,
            *step.undo,
            *((look.command, look.names) if look else ()),
        )
        if command
    ]


@contextmanager
def on_path(cloud: Cloud, folder: Path) -> Iterator[Path]:
    """A folder for PATH, with a `gcloud` in it that is the one of `cloud`."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            told = json.loads(self.rfile.readline())
            answer = cloud.run(("gcloud", *told["arguments"]), told["typed"])
            said = {"code": answer.code, "out": answer.out, "err": answer.err}
            self.wfile.write(json.dumps(said).encode() + b"\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        script = folder / "gcloud"
        script.write_text(
            f"#!{sys.executable} -SE\n"
            "import json, socket, sys\n"
            "typed = sys.stdin.read() if '--data-file=-' in sys.argv else ''\n"
            f"here = socket.create_connection({server.server_address!r})\n"
            "told = json.dumps({'arguments': sys.argv[1:], 'typed': typed})\n"
            "here.sendall(told.encode() + b'\\n')\n"
            "answer = json.loads(here.makefile().readline())\n"
            "sys.stdout.write(answer['out'])\n"
            "sys.stderr.write(answer['err'])\n"
            "sys.exit(answer['code'])\n"
        )
        script.chmod(0o755)
        try:
            yield folder
        finally:
            server.shutdown()
            thread.join()
