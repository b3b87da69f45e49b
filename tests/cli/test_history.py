"""A history: runs in a file, in whatever order, each line of which can be damaged."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import history
from cli.history import Entry, History, Keeping
from shared.errors import Mistake
from subscriber.run import Answer, Outcome, RunDetails, Status, Step
from tests.builders import a_body, a_result

AT = datetime(2026, 3, 1, tzinfo=UTC)


def an_entry(run_id: int = 100, hour: int = 0, answer: Answer | None = None) -> Entry:
    at = (AT + timedelta(hours=hour)).isoformat().encode()
    body = a_body(event_id=f"run-{run_id}", run_id=run_id)
    return Entry(body.replace(b"2026-01-05T11:59:58.123456789Z", at), answer or Answer())


def runs(found: History) -> list[str]:
    return [entry.event.run_id for _, entry in found.entries()]


ANSWERS = st.builds(
    Answer,
    run=st.none()
    | st.builds(
        RunDetails,
        outcome=st.sampled_from(Outcome),
        trigger=st.text(max_size=5),
        steps=st.lists(
            st.builds(Step, index=st.integers(1, 9), name=st.text(), failed=st.booleans()),
            max_size=2,
        ).map(tuple),
    ),
    results=st.lists(
        st.builds(
            a_result,
            unique_id=st.text(),
            status=st.sampled_from(Status),
            message=st.text(alphabet=st.characters()),
            tags=st.lists(st.text(max_size=3), max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    notes=st.lists(st.text(), max_size=2).map(tuple),
    is_final=st.booleans(),
    gone=st.frozensets(st.text(max_size=3), max_size=2),
    newest_run=st.none() | st.integers(0, 2**63 - 1),
)


@given(answer=ANSWERS)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, answer: Answer
) -> None:
    path = tmp_path_factory.mktemp("history") / "runs.jsonl"

    history.write(path, [an_entry(answer=answer)])

    (read,) = history.read(path)
    assert read.answer == answer
    assert read.event == an_entry().event


def test_half_a_surrogate_pair_is_kept(tmp_path: Path) -> None:
    entry = an_entry(answer=Answer(results=(a_result(message="\ud83d"),)))

    history.write(tmp_path / "runs.jsonl", [entry])

    assert next(history.read(tmp_path / "runs.jsonl")).answer == entry.answer


def test_entries_come_in_the_order_of_their_times_whatever_that_of_the_lines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.jsonl"
    history.write(path, [an_entry(3, 5), an_entry(1, 7), an_entry(2, 5), an_entry(4, 1)])

    found = History.of(path)

    assert runs(found) == ["4", "2", "3", "1"]
    assert next(at for at, _ in found.entries()) == AT + timedelta(hours=1)
    assert runs(found.since(AT + timedelta(hours=5))) == ["2", "3", "1"]
    assert runs(found.of_accounts(["2"])) == []


def test_of_several_lines_about_one_event_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    history.write(path, [an_entry(1), an_entry(2, 1), an_entry(1, answer=Answer(notes=("new",)))])

    found = {entry.event.run_id: entry.answer.notes for _, entry in History.of(path).entries()}

    assert found == {"1": ("new",), "2": ()}


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    history.write(tmp_path / "runs.jsonl", [an_entry()])
    with Keeping(tmp_path / "kept.jsonl"):
        pass

    assert (tmp_path / "runs.jsonl").stat().st_mode & 0o077 == 0
    assert (tmp_path / "kept.jsonl").stat().st_mode & 0o077 == 0


def test_what_is_kept_stays_and_more_is_added(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    history.write(path, [an_entry(1)])

    with Keeping(path) as kept:
        kept.add(an_entry(2, 1))

    assert runs(History.of(path)) == ["1", "2"]


def test_it_is_known_how_much_was_asked_about_an_event(tmp_path: Path) -> None:
    with Keeping(tmp_path / "runs.jsonl") as kept:
        kept.add(Entry(an_entry(1).body, Answer(), "failed"))
        with Keeping(tmp_path / "runs.jsonl") as again:
            for each in (kept, again):
                assert each.has(an_entry(1).event, "none")
                assert each.has(an_entry(1).event, "failed")
                assert not each.has(an_entry(1).event, "all")
                assert not each.has(an_entry(2).event, "none")


def test_a_line_that_was_cut_short_is_taken_away_before_more_is_added(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    history.write(path, [an_entry(1), an_entry(2, 1)])
    path.write_bytes(path.read_bytes()[:-40])

    with Keeping(path) as kept:
        kept.add(an_entry(3, 2))

    assert runs(History.of(path)) == ["1", "3"]


def test_a_first_line_that_was_cut_short_is_taken_away_too(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_bytes(history.line(an_entry(1)).encode()[:50])

    with Keeping(path):
        pass

    assert path.read_bytes() == b""


@pytest.mark.parametrize("content", ["version: 1\nrules: []\n", "some\nlines", "no line at all"])
def test_a_file_that_is_something_else_stays_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "afterrun.yaml"
    path.write_text(content)

    with pytest.raises(Mistake, match=r"afterrun\.yaml:1: no line of a history"):
        Keeping(path)

    assert path.read_text() == content


GOOD = history.line(an_entry())
WITHOUT_A_TIME = json.loads(GOOD)
del WITHOUT_A_TIME["event"]["timestamp"], WITHOUT_A_TIME["event"]["data"]["runFinishedAt"]
AT_THE_END_OF_TIME = json.loads(json.dumps(WITHOUT_A_TIME))
AT_THE_END_OF_TIME["event"]["timestamp"] = "9999-12-31T23:59:59Z"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GOOD[:-9], "no line of a history"),
        ("[]", "no line of a history"),
        ("null", "no line of a history"),
        ('{"version": 1}', "no line of a history"),
        (GOOD.replace('"asked": "all"', '"asked": "most"'), "no line of a history"),
        (GOOD.replace('"answer": {}', '"answer": {"results": 7}'), "no line of a history"),
        (GOOD.replace('"answer": {}', '"answer": []'), "no line of a history"),
        (GOOD.replace('"version": 1', '"version": 2'), "of another version of afterrun"),
        (GOOD.replace("job.run.completed", "job.run.eaten"), "no event of a run: an event type"),
        (json.dumps(WITHOUT_A_TIME), "no place in time"),
        (json.dumps(AT_THE_END_OF_TIME), "no place in time"),
        ("[" * 100_000, "no line of a history"),
        ("\xff", "no line of a history"),
    ],
)
def test_a_damaged_line_is_named_by_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(f"{GOOD}\n\n{line}\n", encoding="latin-1")

    with pytest.raises(Mistake, match=f"runs.jsonl:3: .*{said}"):
        History.of(path)
    with pytest.raises(Mistake, match=f"runs.jsonl:3: .*{said}"):
        list(history.read(path))


def test_a_folder_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="cannot be read: Is a directory"):
        History.of(tmp_path)
    with pytest.raises(Mistake, match="cannot be written: Is a directory"):
        Keeping(tmp_path)
