"""What `deploy/fly` and `deploy/vm` say, against the program and the image."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.work.working import STOP_S
from shared import secret_refs
from tests.test_image import FOLDERS, ROOT, arguments_of

UNITS = sorted((ROOT / "deploy" / "vm").glob("*.service"))
NAMED = [unit.stem for unit in UNITS]
OF_OTHERS = {
    "FUNCTION_SOURCE",
    "FUNCTION_TARGET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HOME",
    "HOST",
    "PORT",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
}
COMMANDS = {"functions-framework", "afterrun"}


def fly() -> dict[str, Any]:
    return tomllib.loads((ROOT / "deploy" / "fly" / "fly.toml").read_text())


def read_by_us() -> str:
    """The text of all that reads settings."""
    return "\n".join(path.read_text() for name in FOLDERS for path in (ROOT / name).rglob("*.py"))


def lines_of(unit: Path) -> list[tuple[str, str]]:
    """The settings of a unit, in their order."""
    lines = [line.partition("=") for line in unit.read_text().splitlines() if "=" in line]
    return [(name, value) for name, _, value in lines if not name.startswith("#")]


def environment_of(unit: Path) -> dict[str, str]:
    given = [value.partition("=") for name, value in lines_of(unit) if name == "Environment"]
    return {name: value for name, _, value in given}


def test_fly_runs_what_is_in_the_image_with_nothing_before_it() -> None:
    assert json.loads(arguments_of("ENTRYPOINT")[0]) == ["functions-framework"]
    assert fly()["experimental"]["entrypoint"] == ["/usr/bin/env"]
    assert {shlex.split(command)[0] for command in fly()["processes"].values()} == COMMANDS


def test_fly_serves_the_receiver_alone_where_the_image_listens() -> None:
    (check,) = fly()["http_service"]["checks"]

    assert fly()["http_service"]["processes"] == ["receiver"]
    assert str(fly()["http_service"]["internal_port"]) in arguments_of("EXPOSE")
    assert (check["method"], check["path"]) == ("GET", "/health")


def test_fly_gives_the_worker_a_volume_that_its_ledger_is_on() -> None:
    (mount,) = fly()["mounts"]

    assert mount["processes"] == ["work"]
    assert fly()["env"]["LEDGER"].startswith(f"sqlite:{mount['destination']}/")
    assert any(copy.endswith(f" {mount['destination']}") for copy in arguments_of("COPY"))


def test_fly_writes_the_files_that_are_named() -> None:
    written = {file["guest_path"] for file in fly()["files"]}

    assert written == {
        fly()["env"]["AFTERRUN_CONFIG"],
        fly()["env"]["GOOGLE_APPLICATION_CREDENTIALS"],
    }


def test_every_process_of_fly_is_one_that_there_is() -> None:
    sections = [fly()["http_service"], *fly()["mounts"], *fly()["restart"], *fly()["files"]]
    named = {name for section in sections for name in section.get("processes", [])}

    assert named == set(fly()["processes"])


def test_hosts_wait_until_what_has_begun_is_finished() -> None:
    work = dict(lines_of(ROOT / "deploy/vm/afterrun-work.service"))

    assert fly()["kill_signal"] == "SIGTERM"
    assert fly()["kill_timeout"] > STOP_S
    assert int(work["TimeoutStopSec"]) > STOP_S


def test_every_variable_that_a_host_sets_is_one_that_is_read() -> None:
    text = read_by_us()
    given = set(fly()["env"]).union(*map(environment_of, UNITS)) - OF_OTHERS

    assert [name for name in given if f'"{name}"' not in text] == []


def test_secrets_are_given_as_references() -> None:
    assert secret_refs.parse(fly()["env"]["WEBHOOK_SECRETS"]).scheme == "env"


@pytest.mark.parametrize("unit", UNITS, ids=NAMED)
def test_a_unit_is_well_formed(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here; apt-get install systemd")
    folder = "/opt/afterrun/current/.venv/bin"
    for name in COMMANDS:
        (tmp_path / name).touch(mode=0o755)
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(folder, str(tmp_path)))

    verified = subprocess.run(
        ["systemd-analyze", "verify", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert folder in unit.read_text()
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=NAMED)
def test_a_unit_is_started_again_for_ever(unit: Path) -> None:
    said = dict(lines_of(unit))

    assert (said["Restart"], said["StartLimitIntervalSec"]) == ("always", "0")


@pytest.mark.parametrize("unit", UNITS, ids=NAMED)
def test_a_unit_can_do_little_to_its_machine(unit: Path) -> None:
    said = dict(lines_of(unit))

    assert said["NoNewPrivileges"] == "yes"
    assert said["ProtectSystem"] == "strict"
    assert said["CapabilityBoundingSet"] == ""
    assert said.get("DynamicUser") == "yes" or said["User"] != "root"


def test_the_workers_ledger_is_where_it_may_write() -> None:
    unit = ROOT / "deploy/vm/afterrun-work.service"
    said = dict(lines_of(unit))

    assert environment_of(unit)["LEDGER"].startswith(f"sqlite:/var/lib/{said['StateDirectory']}/")


def test_the_receiver_is_reached_through_the_proxy_alone() -> None:
    environ = environment_of(ROOT / "deploy/vm/afterrun-receiver.service")
    (upstream,) = re.findall(r"reverse_proxy (\S+)", (ROOT / "deploy/vm/Caddyfile").read_text())

    assert upstream == f"{environ['HOST']}:{environ['PORT']}"
    assert environ["HOST"] == "127.0.0.1"
