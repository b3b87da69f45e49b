"""Makes the samples anew: runs real dbt on the teahouse, once for each thing that may happen.

    python lab/samples/make.py [NAME ...]

Without names it makes them all, in about four minutes. It installs dbt into a virtual environment
of its own, and throws that away at the end.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REQUIREMENTS = ("dbt-core==1.11.16", "dbt-duckdb==1.10.1", "duckdb==2.0.0")
HERE = Path(__file__).resolve().parent
SHOWN_AS = "/dbt/teahouse"
"""Where the project seems to have been: the folder's true path is nobody's business."""

FRESH = {"receipts_age": "2 hours", "deliveries_age": "2 hours", "stock_counts_age": "2 days"}
STALE = {"receipts_age": "30 hours", "deliveries_age": "9 hours", "stock_counts_age": "2 days"}

SUCCESS, ERROR = 10, 20


@dataclass(frozen=True)
class Variant:
    """One run: the project, with the files of `variants/<name>` laid over it.

    A step that fails ends the run, unless it is `tolerated`: dbt Cloud's "Run source freshness".
    """

    name: str
    commands: tuple[str, ...] = ("build",)
    source_ages: dict[str, str] | None = None
    tolerated: tuple[str, ...] = ()


VARIANTS = (
    Variant("success"),
    Variant("model_error"),
    Variant("failing_test"),
    Variant("warning"),
    Variant("seed_failure"),
    Variant("compile_error"),
    Variant("source_freshness", ("source freshness", "build"), STALE),
    Variant("tolerated_freshness", ("source freshness", "build"), STALE, ("source freshness",)),
    Variant("several_steps", ("seed", "run", "test", "docs generate")),
)


@dataclass(frozen=True)
class Workplace:
    """A copy of the project with a database of its own, and the dbt that works in it."""

    dbt: Path
    folder: Path

    def run(self, arguments: Sequence[str]) -> tuple[int, str]:
        """The exit status of dbt and what it wrote, colours included."""
        shutil.rmtree(self.folder / "target", ignore_errors=True)
        done = subprocess.run(
            [self.dbt, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "TZ": "UTC",
                "DBT_USE_COLORS": "true",
                "PYTHONHASHSEED": "0",  # sets are written in one order
            },
        )
        return done.returncode, self.scrub(done.stdout)

    def artifact(self, name: str) -> Any:
        path = self.folder / "target" / name
        return json.loads(self.scrub(path.read_text())) if path.exists() else None

    def scrub(self, text: str) -> str:
        return text.replace(str(self.folder), SHOWN_AS).replace(str(self.dbt.parent), "bin")


def make(variant: Variant, dbt: Path, folder: Path, runs: Path) -> None:
    """Carry out `variant` in `folder` and write what came of it to `runs/<name>`."""
    shutil.copytree(HERE / "teahouse", folder)
    if (HERE / "variants" / variant.name).is_dir():
        shutil.copytree(HERE / "variants" / variant.name, folder, dirs_exist_ok=True)
    place = Workplace(dbt, folder)
    ages = json.dumps(variant.source_ages or FRESH)
    if variant.name != "compile_error":  # whose sources nobody reads
        status, said = place.run(["run-operation", "load_sources", "--args", ages])
        if status:
            raise SystemExit(said)
    into = runs / variant.name
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    steps: list[dict[str, Any]] = []
    failed = False
    for command in ("deps", *variant.commands):
        name = f"{len(steps) + 1}-{command.replace(' ', '-')}"
        step = _step(place, command, into / name, f"{variant.name}/{name}")
        steps.append(step)
        if step["status"] == ERROR and command not in variant.tolerated:
            failed = True
            break
    note = {
        "made_with": list(REQUIREMENTS),
        "dbt_version": REQUIREMENTS[0].partition("==")[2],
        "status": ERROR if failed else SUCCESS,
        "steps": steps,
    }
    _write(into / "run.json", note)


def _step(place: Workplace, command: str, into: Path, name: str) -> dict[str, Any]:
    started_at = datetime.now(UTC)
    status, said = place.run(command.split())
    finished_at = datetime.now(UTC)
    into.mkdir()
    (into / "console.log").write_text(said)
    written = []
    for artifact in ("run_results.json", "sources.json", "manifest.json"):
        found = place.artifact(artifact)
        if found is not None:
            found["metadata"] = _settled(found["metadata"], name)
            # one manifest a run: the project does not change between its steps
            slimmed, to = (slim(found), into.parent) if "nodes" in found else (found, into)
            _write(to / artifact, slimmed)
            written.append(artifact)
    return {
        "command": f"dbt {command}",
        "folder": into.name,
        "status": ERROR if status else SUCCESS,
        "artifacts": written,
        "started_at": started_at.isoformat(),
        "finished_at": finished_at.isoformat(),
    }


def _settled(metadata: dict[str, Any], name: str) -> dict[str, Any]:
    """The same, with an invocation's id that does not change when the samples are made anew."""
    kept = {
        key: value for key, value in metadata.items() if key not in ("user_id", "run_started_at")
    }
    return kept | {"invocation_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name))}


NODE_KEYS = (
    *("unique_id", "name", "resource_type", "package_name", "original_file_path", "description"),
    *("tags", "meta", "group", "owner", "depends_on", "access", "language", "type", "url"),
    *("database", "schema", "alias", "identifier", "loader", "source_name", "source_description"),
    *("freshness", "maturity", "attached_node", "column_name", "test_metadata"),
)
CONFIG_KEYS = ("materialized", "severity")


def slim(manifest: dict[str, Any]) -> dict[str, Any]:
    """The parts of `manifest` that somebody asks for, in dbt's own shape."""
    kept: dict[str, Any] = {"metadata": manifest["metadata"]}
    for kind in ("nodes", "sources", "exposures", "groups"):
        kept[kind] = {
            unique_id: _slim_node(node) for unique_id, node in sorted(manifest[kind].items())
        }
    return kept


def _slim_node(node: dict[str, Any]) -> dict[str, Any]:
    kept = {key: node[key] for key in NODE_KEYS if key in node}
    if "depends_on" in kept:
        kept["depends_on"] = {"nodes": kept["depends_on"].get("nodes", [])}
    if "config" in node:
        kept["config"] = {key: node["config"][key] for key in CONFIG_KEYS if key in node["config"]}
    return kept


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    wanted = set(sys.argv[1:])
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
        python = place / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        for variant in VARIANTS:
            if not wanted or variant.name in wanted:
                make(variant, python.with_name("dbt"), place / variant.name, HERE / "runs")


if __name__ == "__main__":
    main()
