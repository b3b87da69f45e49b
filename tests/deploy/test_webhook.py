"""The last step, with the real command and a dbt Cloud here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.gcloud import Answer
from deploy.names import Deployment
from deploy.runner import Outcome, Runner
from deploy.step import Command, Step
from deploy.webhook import webhook
from lab.dbt_cloud import access
from tests.cli.running import afterrun
from tests.cli.webhooks import side as sides
from tests.cli.webhooks.side import TOKEN_VARIABLE, Side


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    with sides.running(tmp_path) as running:
        yield running


@pytest.fixture
def step(side: Side, deployment: Deployment) -> Step:
    side.configure(accounts=[side.cloud.account_id])
    config = str(side.folder / "afterrun.yaml")
    (found,) = webhook(replace(deployment, project="acme", config_file=config))
    return found


def a_runner(side: Side, it: Deployment, said: list[str]) -> Runner:
    def run(command: Command, typed: str | None = None) -> Answer:
        ran = afterrun(*command[1:], environ=side.environ)
        return Answer(ran.code, ran.out, ran.err)

    return Runner(it, run, lambda _: "", lambda _: True, lambda _: None, said.append)


def test_it_is_made_once_and_its_secret_is_where_the_receiver_reads_it(
    side: Side, step: Step, deployment: Deployment
) -> None:
    runner = a_runner(side, deployment, [])

    outcomes = [runner.make(step), runner.make(step)]

    (made,) = side.all
    assert outcomes == [Outcome.DONE, Outcome.THERE]
    assert made.wanted.client_url == "https://afterrun-receiver-123456789012.europe-west1.run.app"
    assert side.secrets.values("dbt-cloud-webhook") == [made.secret]


def test_it_is_taken_away(side: Side, step: Step, deployment: Deployment) -> None:
    runner = a_runner(side, deployment, [])
    runner.make(step)

    outcomes = [runner.undo(step, with_data=False), runner.undo(step, with_data=False)]

    assert outcomes == [Outcome.REMOVED, Outcome.GONE]
    assert side.all == []


def test_a_token_that_may_only_read_leaves_it_for_later(
    side: Side, step: Step, deployment: Deployment
) -> None:
    said: list[str] = []
    side.environ[TOKEN_VARIABLE] = access.TOKEN
    runner = a_runner(side, deployment, said)

    assert runner.make(step) is Outcome.LATER
    assert side.all == []
    assert runner.later == list(step.make)
    assert "this failed" in said[0]
