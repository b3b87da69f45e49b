"""What is declared for Firestore, as gcloud is told it."""

import json
import subprocess
from collections.abc import Sequence

import pytest

from deploy import firestore_indexes
from deploy.firestore_indexes import DECLARED, apply, commands

TOLD = commands(json.loads(DECLARED.read_text()), "afterrun", "acme")


def test_the_composite_index_comes_first_and_names_its_fields_in_order() -> None:
    assert TOLD[0] == [
        "gcloud",
        "firestore",
        "indexes",
        "composite",
        "create",
        "--collection-group=afterrun_work",
        "--query-scope=collection",
        "--field-config=field-path=kind,order=ascending",
        "--field-config=field-path=recorded_at,order=descending",
        "--database=afterrun",
        "--async",
        "--quiet",
        "--project=acme",
    ]


def test_a_field_keeps_the_index_it_needs_and_others_have_none() -> None:
    by_field = {(each[5], each[6]): each[7] for each in TOLD if each[3:5] == ["fields", "update"]}

    work, subjects = (f"--collection-group=afterrun_{name}" for name in ("work", "subjects"))
    assert by_field["due_at", work] == "--index=order=ascending"
    assert by_field["body", work] == by_field["body", subjects] == "--disable-indexes"


def test_what_expires_is_deleted_in_both_collections() -> None:
    ttls = [each for each in TOLD if each[2:5] == ["fields", "ttls", "update"]]

    assert [(each[5], each[6], each[7]) for each in ttls] == [
        ("expire_at", "--collection-group=afterrun_work", "--enable-ttl"),
        ("expire_at", "--collection-group=afterrun_subjects", "--enable-ttl"),
    ]


@pytest.mark.parametrize(
    ("code", "stderr", "is_done"),
    [(0, "", True), (1, "ERROR: ALREADY_EXISTS: index", True), (1, "PERMISSION_DENIED", False)],
)
def test_what_is_there_already_is_fine_and_what_is_refused_is_said(
    *, code: int, stderr: str, is_done: bool
) -> None:
    said: list[str] = []

    def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, code, "", stderr)

    assert apply(TOLD, run, said.append) is is_done
    assert len(said) == len(TOLD), "one refusal does not keep the rest from being done"
    assert is_done or all("PERMISSION_DENIED" in line for line in said)


def test_shown_the_commands_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    assert firestore_indexes.main(["--database=afterrun", "--show"]) == 0

    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == len(TOLD)
    assert shown[0].startswith("gcloud firestore indexes composite create --collection-group=")
