"""`python -m deploy` as a person runs it, with a gcloud on the PATH that is the real one."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.exits import Exit
from tests.deploy.cloud import CONFIG, IMAGE, PROJECT, REGION, Cloud, a_deployment, on_path
from tests.deploy.real_gcloud import ROOT


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    def outcomes(self) -> list[str]:
        """What became of each step, in order."""
        return [each.strip() for each in re.findall(r"(?m)([a-z][a-z ]{13})  [\w']", self.out)]


@dataclass(frozen=True)
class Shell:
    folder: Path
    cloud: Cloud

    def deploy(self, *arguments: str, typed: str = "", image: str = IMAGE) -> Ran:
        told = [*arguments, f"--project={PROJECT}", f"--region={REGION}"]
        told += [f"--config={self.folder}/afterrun.yaml"]
        told += [f"--image={image}"] if image and arguments[0] == "up" else []
        return self.run([sys.executable, "-m", "deploy", *told], typed)

    def run(self, command: list[str], typed: str = "") -> Ran:
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        environ = {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "HOME": str(self.folder)}
        ran = subprocess.run(
            command, cwd=ROOT, env=environ, input=typed, capture_output=True, text=True, timeout=110
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def shell(cloud: Cloud, tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "afterrun.yaml").write_text(CONFIG, encoding="utf-8")
    with on_path(cloud, tmp_path):
        yield Shell(tmp_path, cloud)


def test_a_first_deployment_says_what_it_does_and_what_is_left(shell: Shell) -> None:
    ran = shell.deploy("up", "--yes")

    assert ran.code == 0, ran.err
    assert f"  project   {PROJECT}, number 123456789012" in ran.out
    assert "  as        ops@acme.com" in ran.out
    assert set(ran.outcomes()) == {"done", "left for later", "not asked for"}
    assert "  gcloud secrets versions add dbt-cloud-service-token --data-file=- " in ran.out
    assert "  afterrun webhooks create " in ran.out
    assert ran.out.endswith(
        "The address for dbt Cloud:\n"
        "  https://afterrun-receiver-123456789012.europe-west1.run.app\n"
        "\n"
        "For `afterrun` in this shell:\n"
        "\n"
        "  export GOOGLE_CLOUD_PROJECT=acme-data-1\n"
        "  export LEDGER=firestore:acme-data-1/afterrun\n"
        "\n"
        "Then look whether all is well:  afterrun doctor\n"
    )


def test_its_lines_fit_a_terminal_but_for_commands_that_are_pasted(shell: Shell) -> None:
    ran = shell.deploy("up", "--yes", "--only", "secrets", "--only", "webhook")

    own = ran.out.replace(str(shell.folder), ".")
    long = [line for line in own.splitlines() if len(line) > 80]
    assert [line for line in long if not line.startswith(("  gcloud ", "  afterrun "))] == []


def test_a_second_deployment_leaves_everything_as_it_is(shell: Shell) -> None:
    shell.cloud.deploy(a_deployment(shell.folder, image=IMAGE))

    ran = shell.deploy("up", "--yes", "--only", "topics", "--only", "services", "--from", "topics")

    assert ran.code == 0, ran.err
    assert set(ran.outcomes()) == {"already there"}
    assert shell.cloud.google.changes == []


def test_who_does_not_say_yes_changes_nothing(shell: Shell) -> None:
    ran = shell.deploy("up", typed="n\n")

    assert ran.code == 1
    assert "Go ahead? [y/N]" in ran.err
    assert shell.cloud.google.changes == []


def test_what_is_refused_is_said_with_what_to_do_and_it_ends_there(shell: Shell) -> None:
    shell.cloud.google.refuses = "PUT pubsub/projects/acme-data-1/topics/dbt-cloud-ticks"

    ran = shell.deploy("up", "--yes", "--only", "topics")

    assert ran.code == Exit.REFUSED
    assert ran.outcomes() == ["done"]
    assert ran.err.startswith("error: topic dbt-cloud-ticks: this failed.\n  gcloud pubsub topics ")
    assert "This account lacks a role; docs/deploy.md lists them.\n" in ran.err
    assert ran.err.endswith("What is done stays done: run the same command again.\n")


def test_a_dry_run_runs_nothing(shell: Shell) -> None:
    made, taken = shell.deploy("up", "--dry-run"), shell.deploy("down", "--dry-run")

    assert (made.code, taken.code) == (0, 0)
    assert shell.cloud.ran == []


@pytest.mark.parametrize("image", ["", IMAGE])
def test_what_a_dry_run_prints_does_the_same_when_it_is_pasted(shell: Shell, image: str) -> None:
    shell.cloud.made.clear()
    shell.cloud.deploy(a_deployment(shell.folder, image=image))
    wanted, bound = set(shell.cloud.google.things), shell.cloud.google.bound()
    script = shell.folder / "deploy.sh"
    script.write_text(shell.deploy("up", "--dry-run", "--notify=ops@acme.com", image=image).out)
    (shell.folder / "afterrun").write_text("#!/bin/sh\n")
    (shell.folder / "afterrun").chmod(0o755)
    shell.cloud.google.forget()

    first = shell.run(["bash", "-e", str(script)])
    made, bound_now = set(shell.cloud.google.things), shell.cloud.google.bound()
    again = shell.run(["bash", "-e", str(script)])

    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert without_numbers(made) == without_numbers(wanted)
    assert bound_now == bound
    assert len(without_numbers(made)) == len(made) - 13
    assert set(shell.cloud.google.things) - made == {
        f"secretmanager/projects/{PROJECT}/secrets/afterrun-config/versions/2"
    }


def without_numbers(keys: set[str]) -> set[str]:
    return {key for key in keys if not key.rpartition("/")[2].isdigit()}


def test_taking_it_away_wants_the_name_of_the_project(shell: Shell) -> None:
    shell.cloud.deploy(a_deployment(shell.folder, image=IMAGE))

    other = shell.deploy("down", "--only", "tick", typed="another-project\n")
    after_other = list(shell.cloud.google.changes)
    right = shell.deploy("down", "--only", "tick", typed=f"{PROJECT}\n")

    assert (other.code, right.code) == (Exit.MISTAKE, 0)
    assert after_other == []
    assert right.outcomes() == ["removed"]


def test_before_it_takes_things_away_it_says_what_is_lost(shell: Shell) -> None:
    kept = shell.deploy("down", typed="no\n").out
    lost = shell.deploy("down", "--delete-data", typed="no\n").out

    assert "  - database afterrun in europe-west1\n" in kept.partition("Kept, and")[2]
    assert "secrets are LOST." in lost
    assert "Kept" not in lost


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--project=Acme",), "--project: this is no project id; write one such as my-data-123"),
        (("--project=",), "--project: missing: a project id; write one such as my-data-123"),
        (("--region=Frankfurt",), "--region: this is no region; write one such as europe-west1"),
        (("--config=none.yaml",), "none.yaml: there is no such file"),
        (("--config=a\ntouch here #.yaml",), "--config: its path holds a line break"),
        (("--notify=nobody",), "--notify: this is no mail address"),
        (("--image=an image",), "--image: write REGION-docker.pkg.dev/"),
        (("--only=topic",), "topic: there is no such part; they are apis, accounts,"),
    ],
)
def test_a_wrong_option_is_named(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    at = [f"--project={PROJECT}", f"--region={REGION}", f"--config={shell.folder}/afterrun.yaml"]

    ran = shell.run([sys.executable, "-m", "deploy", "up", "--dry-run", *at, *arguments])

    assert ran.code == Exit.MISTAKE
    assert ran.err.startswith(f"error: {said}")
    assert shell.cloud.ran == []


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:PD_KEY", "env:PD_KEY: Cloud Run has no such variable; keep it in"),
        ("file:/run/key", "file:/run/key: Cloud Run has no such file; keep it in"),
        ("secret:afterrun-config", "there the configuration itself is kept"),
        ("secret:dbt-cloud-webhook", "there dbt Cloud's webhook secret is kept"),
    ],
)
def test_a_secret_that_could_not_be_read_there_is_named(
    shell: Shell, reference: str, said: str
) -> None:
    written = CONFIG.replace("secret:pd-routing-key", reference)
    (shell.folder / "afterrun.yaml").write_text(written, encoding="utf-8")

    ran = shell.deploy("up", "--dry-run")

    assert ran.code == Exit.MISTAKE
    assert said in ran.err


def test_a_secret_of_another_project_is_left_to_those_who_look_after_it(shell: Shell) -> None:
    theirs = "secret:projects/acme-security/secrets/pd/versions/latest"
    written = CONFIG.replace("secret:pd-routing-key", theirs)
    (shell.folder / "afterrun.yaml").write_text(written, encoding="utf-8")

    ran = shell.deploy("up", "--yes", "--only", "accounts")

    assert "gcloud secrets add-iam-policy-binding pd --project=acme-security" in ran.out


def test_without_gcloud_it_says_what_to_install(shell: Shell) -> None:
    (shell.folder / "gcloud").unlink()
    at = [f"--project={PROJECT}", f"--region={REGION}", f"--config={shell.folder}/afterrun.yaml"]

    ran = subprocess.run(
        [sys.executable, "-m", "deploy", "up", *at],
        cwd=ROOT,
        env={"PATH": str(shell.folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == Exit.MISTAKE
    assert ran.stderr.startswith("error: gcloud is not here: install it (https://")
