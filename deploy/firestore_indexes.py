"""Applies firestore.indexes.json to a Firestore database, with gcloud; safe to repeat.

    python3 -m deploy.firestore_indexes --database=afterrun [--project=P] [--show]

Source: https://cloud.google.com/sdk/gcloud/reference/firestore/indexes
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DECLARED = Path(__file__).parent.parent / "subscriber" / "ledger" / "firestore.indexes.json"

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def commands(declared: Mapping[str, Any], database: str, project: str = "") -> list[list[str]]:
    """The gcloud commands that bring a database to what is declared, indexes first. Pure.

    They return at once (`--async`): an index of a database that holds little is built in minutes.
    """
    where = [f"--database={database}", "--async", "--quiet"]
    where += [f"--project={project}"] if project else []
    return [["gcloud", "firestore", *command, *where] for command in _commands(declared)]


def _commands(declared: Mapping[str, Any]) -> Iterator[list[str]]:
    for index in declared["indexes"]:
        fields = [
            f"--field-config=field-path={field['fieldPath']},order={field['order'].lower()}"
            for field in index["fields"]
        ]
        group = f"--collection-group={index['collectionGroup']}"
        scope = f"--query-scope={index['queryScope'].lower()}"
        yield ["indexes", "composite", "create", group, scope, *fields]
    for override in declared["fieldOverrides"]:
        field, group = override["fieldPath"], f"--collection-group={override['collectionGroup']}"
        kept = [f"--index=order={index['order'].lower()}" for index in override["indexes"]]
        yield ["indexes", "fields", "update", field, group, *(kept or ["--disable-indexes"])]
        if override.get("ttl"):
            yield ["fields", "ttls", "update", field, group, "--enable-ttl"]


def apply(told: Sequence[Sequence[str]], run: Run, say: Callable[[str], None]) -> bool:
    """Run every command; whether all is as declared. What is there already is fine."""
    is_done = True
    for command in told:
        done = run(command)
        if done.returncode == 0 or "ALREADY_EXISTS" in done.stderr:
            say(f"done: {shlex.join(command)}")
        else:
            is_done = False
            say(f"failed: {shlex.join(command)}\n{done.stderr.strip()}")
    return is_done


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m deploy.firestore_indexes",
        description="Bring a Firestore database to the indexes and TTL policies Afterrun needs.",
    )
    parser.add_argument("--database", required=True, help="name of the database")
    parser.add_argument("--project", default="", help="default: gcloud's own")
    parser.add_argument("--show", action="store_true", help="print the commands, run none")
    chosen = parser.parse_args(arguments)
    told = commands(json.loads(DECLARED.read_text()), chosen.database, chosen.project)
    if chosen.show:
        print("\n".join(map(shlex.join, told)))
        return 0
    try:
        return 0 if apply(told, _run, lambda line: print(line, flush=True)) else 1
    except FileNotFoundError:
        print("gcloud is not here: install it, or run elsewhere what --show prints")
        return 1


if __name__ == "__main__":
    sys.exit(main())
