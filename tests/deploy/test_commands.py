"""Every command of the deployment, as gcloud itself reads it. No command is carried out."""

import re
import shlex
from pathlib import Path

import pytest

from deploy.names import Deployment
from deploy.step import Command, learned_by, told
from deploy.steps import steps
from tests.deploy.cloud import IMAGE, Cloud, a_deployment, commands, deploy_steps

ROOT = Path(__file__).parent.parent.parent
LEARNED = {
    "NUMBER": "123456789012",
    "CONFIG_VERSION": "3",
    "CHANNEL": "projects/acme-data-1/notificationChannels/17",
    "FOUND": "projects/acme-data-1/alertPolicies/18",
}


def refused(cloud: Cloud, given: list[Command]) -> dict[str, str]:
    """The commands that gcloud does not understand, with what it says of them."""
    ready = [told(each, LEARNED) for each in given if each[0] == "gcloud"]
    answers = {shlex.join(each): cloud.gcloud.parse(each) for each in dict.fromkeys(ready)}
    return {command: answer.err for command, answer in answers.items() if answer.code}


@pytest.mark.parametrize("image", ["", IMAGE])
def test_gcloud_understands_every_command_of_a_deployment(
    cloud: Cloud, tmp_path: Path, image: str
) -> None:
    given = commands(steps(a_deployment(tmp_path, image=image)))

    assert len(given) > 150
    assert refused(cloud, given) == {}


def test_gcloud_understands_what_is_asked_on_the_way(cloud: Cloud, deployment: Deployment) -> None:
    assert refused(cloud, list(deployment.learned().values())) == {}


def test_gcloud_understands_what_the_build_deploys_with(cloud: Cloud) -> None:
    given = [("gcloud", *each) for each in deploy_steps({"_REGION": "europe-west1"})]

    assert len(given) == 2
    assert refused(cloud, given) == {}


def shown(page: Path) -> list[Command]:
    """The commands of gcloud on a page, in blocks and within a line."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    code = re.findall(r"```(?:sh|bash)?\n(.*?)```", text, re.DOTALL)
    code += [" ".join(each.split()) for each in re.findall(r"`(gcloud [^`]+)`", text)]
    lines = [line.strip() for block in code for line in block.splitlines()]
    return [tuple(shlex.split(each, comments=True)) for each in lines if each.startswith("gcloud ")]


@pytest.mark.parametrize("page", [ROOT / "docs/deploy.md", ROOT / "docs/dead-letters.md"])
def test_gcloud_understands_what_is_shown_on_pages(cloud: Cloud, page: Path) -> None:
    given = [each for each in shown(page) if each[1] not in ("auth", "components")]

    assert given
    assert refused(cloud, given) == {}


def test_everything_that_stands_for_something_else_is_known(deployment: Deployment) -> None:
    used = {name for command in commands(steps(deployment)) for name in learned_by(command)}

    assert used <= {"FOUND", *deployment.learned()}


@pytest.mark.parametrize(
    "wrong",
    [
        "gcloud pubsub topics create t --labelz=app=afterrun",
        "gcloud pubsub topic create t",
        "gcloud pubsub subscriptions create s --topic=t --max-delivery-attempts=101",
        "gcloud pubsub subscriptions update s --message-filter=x",
        "gcloud run deploy s --image=i --ingress=private",
        "gcloud run deploy s --image=i --scaling=2",
        "gcloud run deploy s --image=i --startup-probe=httpGet.way=/health",
        "gcloud run deploy s --image=i --set-secrets=/a=b:1 --update-secrets=/a=b:2",
        "gcloud firestore databases create --database=afterrun --location=eur3 --type=native",
        "gcloud secrets update s --topics=t",
        "gcloud monitoring policies create --policy-from-file=README.md",
        "gcloud alpha monitoring policies create --policy-from-file=there-is-none.json",
        "gcloud projects add-iam-policy-binding acme-data-1 --member=allUsers",
        "gcloud scheduler jobs create pubsub j --schedule=x --topic=projects/p/topics/t",
    ],
)
def test_a_wrong_command_is_noticed(cloud: Cloud, wrong: str) -> None:
    assert refused(cloud, [tuple(shlex.split(wrong))]) != {}


def test_every_command_names_its_project(deployment: Deployment) -> None:
    """Whatever gcloud is set to; nor does it complete the topic of a tick by --project."""
    every = [each for each in commands(steps(deployment)) if each[0] == "gcloud"]
    ticks = [each for each in every if each[1:3] == ("scheduler", "jobs") and "pubsub" in each]

    assert [each for each in every if not any(deployment.project in word for word in each)] == []
    assert ticks
    assert all("--topic=projects/acme-data-1/topics/dbt-cloud-ticks" in each for each in ticks)
