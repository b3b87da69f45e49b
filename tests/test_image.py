"""The image and the build that deploys it: what can be known of them without either."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.exits import Exit
from cli.group import PANELS

ROOT = Path(__file__).parent.parent
OURS = {"function", "subscriber", "shared"}
FOLDERS = OURS | {"cli"}
SERVICES = ["deploy receiver", "deploy subscriber"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: name and arguments, in order."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text())
    lines = text.replace("\\\n", " ").splitlines()
    parted = [line.strip().partition(" ") for line in lines if line.strip()]
    return [(name.upper(), arguments.strip()) for name, _, arguments in parted]


def arguments_of(name: str) -> list[str]:
    return [arguments for each, arguments in instructions() if each == name]


def copied_from_here() -> set[str]:
    """What is copied from the repository, in any stage."""
    copies = [copy.split() for copy in arguments_of("COPY") if "--from=" not in copy]
    return {source for copy in copies for source in copy[:-1]}


def build() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "cloudbuild.yaml").read_text()))


def step(name: str) -> dict[str, Any]:
    (found,) = [step for step in build()["steps"] if step["id"] == name]
    return dict(found)


def flags_of(service: str) -> list[tuple[str, str]]:
    """The options of a deploy step: name and value."""
    parted = [arg.partition("=") for arg in step(service)["args"] if arg.startswith("--")]
    return [(name, value) for name, _, value in parted]


def settings_of(service: str) -> dict[str, str]:
    """The variables that a deploy step sets, but for those that a substitution holds."""
    given = [value for name, value in flags_of(service) if name == "--set-env-vars"]
    parted = [each.removeprefix("^;^").partition("=") for each in given if "=" in each]
    return {name: value for name, _, value in parted}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder in which our code lies as in the image, and the command is made as there."""
    for name in ("app", "venv/bin"):
        (tmp_path / name).mkdir(parents=True)
    for source in sorted(copied_from_here() - {"requirements.txt"}):
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / ("app" if source in FOLDERS else "") / source)
    (making,) = [run for run in arguments_of("RUN") if "/venv/bin/afterrun" in run]
    here = re.sub(r"(?<=[\s'])/(app|venv|data|pyproject)", rf"{tmp_path}/\1", making)
    subprocess.run(["sh", "-euc", here], check=True, timeout=10)
    return tmp_path


def command(image: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`afterrun ARGUMENTS` there; of this environment it has the installed packages alone."""
    path = os.pathsep.join([str(image / "venv/bin"), str(Path(sys.executable).parent), "/bin"])
    return subprocess.run(
        ["afterrun", *arguments],
        cwd=image,
        env={"PATH": path, "PYTHONPATH": str(image / "app")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line_is_in_the_image_and_knows_its_version(image: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    ran = command(image, "--version")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"afterrun {version}\n", "")


def test_every_command_can_be_loaded_there(image: Path) -> None:
    for names in PANELS.values():
        for name in names:
            ran = command(image, name, "--help")
            assert (ran.returncode, ran.stderr) == (0, ""), name


def test_a_wrong_command_line_ends_with_its_exit_code(image: Path) -> None:
    assert command(image, "nonsense").returncode == Exit.USAGE


def test_a_volume_for_the_ledger_belongs_to_who_writes_it() -> None:
    (user,) = arguments_of("USER")

    assert f"--from=builder --chown={user} /data /data" in arguments_of("COPY")


def test_the_image_is_made_of_the_requirements_and_our_code_alone() -> None:
    assert copied_from_here() == FOLDERS | {"requirements.txt", "pyproject.toml"}
    assert all((ROOT / source).exists() for source in copied_from_here())


def test_the_last_stage_takes_everything_from_the_first() -> None:
    names = [name for name, _ in instructions()]
    last = instructions()[len(names) - names[::-1].index("FROM") :]
    copies = [arguments for name, arguments in last if name == "COPY"]

    assert copies
    assert all(copy.startswith("--from=builder ") for copy in copies)
    assert "RUN" not in [name for name, _ in last]


def test_both_stages_have_the_same_base_of_a_version_that_we_support() -> None:
    (base,) = arguments_of("ARG")
    version = re.fullmatch(r"PYTHON=docker\.io/library/python:3\.(\d+)-slim-\w+", base)

    assert version is not None
    assert 11 <= int(version[1]) <= 13
    assert [stage.split()[0] for stage in arguments_of("FROM")] == ["${PYTHON}"] * 2


def test_dependencies_are_installed_by_their_hashes() -> None:
    installing = [run for run in arguments_of("RUN") if " install" in run]

    assert len(installing) == 1
    assert "--require-hashes -r /requirements.txt" in installing[0]


def test_the_image_does_not_run_as_root() -> None:
    (user,) = arguments_of("USER")

    # by number: Kubernetes' runAsNonRoot cannot tell who a name is
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_signals_reach_the_server() -> None:
    (entry_point,) = arguments_of("ENTRYPOINT")

    assert json.loads(entry_point) == ["functions-framework"]


def test_the_image_runs_nothing_by_default() -> None:
    assert not any("FUNCTION_" in environment for environment in arguments_of("ENV"))


def test_started_without_a_function_it_ends_and_says_what_is_missing() -> None:
    started = subprocess.run(
        [sys.executable, "-m", "functions_framework"],
        cwd=ROOT,
        env={"PORT": "0"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert started.returncode == 2
    assert "Missing option '--target'" in started.stderr


def test_whatever_is_not_named_stays_out_of_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    allowed = {pattern.strip("!/") for pattern in patterns if pattern.startswith("!")}

    assert patterns[0] == "*"
    assert allowed == copied_from_here()
    assert [each for each in patterns[1:] if not each.startswith("!")] == ["**/__pycache__/"]


def test_every_substitution_is_used_and_every_one_used_has_a_default() -> None:
    config = build()
    declared = config.pop("substitutions")
    text = json.dumps([config, list(declared.values())])

    assert set(re.findall(r"\$\{?(_[A-Z_]+)", text)) == set(declared)


def test_every_substitution_says_what_it_is() -> None:
    text = (ROOT / "cloudbuild.yaml").read_text()
    block = text[text.index("substitutions:") : text.index("\noptions:")].splitlines()[1:]
    explained = [
        after.split(":")[0].strip()
        for before, after in pairwise(block)
        if before.strip().startswith("#") and after.strip().startswith("_")
    ]

    assert explained == list(build()["substitutions"])


def test_nothing_names_a_project() -> None:
    text = (ROOT / "cloudbuild.yaml").read_text()
    projects = re.findall(r"@([^\s.]+)\.iam|--project[= ](\S+)|pkg\.dev/([^/]+)", text)

    named = {name for names in projects for name in names if name}
    assert named <= {"$PROJECT_ID", "${PROJECT_ID}", "PROJECT"}


def test_what_is_deployed_was_tested_and_tried_before() -> None:
    assert step("try")["waitFor"] == ["build"]
    assert set(step("push")["waitFor"]) == {"test", "try"}
    assert [step(service)["waitFor"] for service in SERVICES] == [["push"], ["push"]]


def test_the_steps_use_the_image_that_was_built() -> None:
    assert "--tag=$_IMAGE" in step("build")["args"]
    assert step("try")["env"] == ["IMAGE=$_IMAGE"]
    assert step("push")["args"] == ["push", "$_IMAGE"]
    assert [dict(flags_of(service))["--image"] for service in SERVICES] == ["$_IMAGE"] * 2


def test_the_script_that_tries_the_image_is_well_formed() -> None:
    parsed = subprocess.run(
        ["bash", "-n"], input=step("try")["script"], text=True, check=False, timeout=10
    )

    assert parsed.returncode == 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_a_function_that_exists(service: str) -> None:
    settings = settings_of(service)
    module = ast.parse((ROOT / settings["FUNCTION_SOURCE"]).read_text())
    functions = [
        each.name
        for each in module.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert settings["FUNCTION_TARGET"] in functions


@pytest.mark.parametrize("service", SERVICES)
def test_the_image_is_tried_as_the_function_that_is_deployed(service: str) -> None:
    settings = settings_of(service)

    for name in ("FUNCTION_SOURCE", "FUNCTION_TARGET"):
        assert f"--env={name}={settings[name]}" in step("try")["script"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_that_a_service_is_given_is_one_that_we_read(service: str) -> None:
    sources = [path for folder in OURS for path in (ROOT / folder).rglob("*.py")]
    read = "\n".join(path.read_text() for path in sources)
    of_the_framework = {"FUNCTION_SOURCE", "FUNCTION_TARGET", "THREADS"}

    given = set(settings_of(service)) - of_the_framework

    assert [name for name in given if f'"{name}"' not in read] == []


def test_secrets_are_given_as_references() -> None:
    assert build()["substitutions"]["_WEBHOOK_SECRETS"].startswith("secret:")


def test_the_subscriber_has_a_thread_for_each_request_that_it_is_sent() -> None:
    flags = dict(flags_of("deploy subscriber"))

    assert settings_of("deploy subscriber")["THREADS"] == flags["--concurrency"]


def test_only_the_receiver_is_reached_from_outside() -> None:
    ingress = [dict(flags_of(service))["--ingress"] for service in SERVICES]

    assert ingress == ["all", "internal"]
    assert settings_of("deploy subscriber")["PUSH_AUTH"] == "platform"


def test_a_build_cannot_change_who_may_call() -> None:
    given = [name for service in SERVICES for name, _ in flags_of(service)]

    assert not any("allow-unauthenticated" in name or "invoker" in name for name in given)


def test_the_subscriber_is_ready_when_its_health_says_so() -> None:
    probe = dict(flags_of("deploy subscriber"))["--startup-probe"]

    assert probe.startswith("httpGet.path=/health,")


def test_the_receiver_can_be_deployed_before_its_secret_is_known() -> None:
    probe = dict(flags_of("deploy receiver"))["--startup-probe"]

    assert probe.startswith("tcpSocket.port=8080,")
