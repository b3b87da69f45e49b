"""The samples are what the service would read of runs that real dbt made, and stay so."""

import pytest

from cli import history, sample
from shared.errors import Mistake
from subscriber.run import Outcome, Status, outcome
from tests.cli.samples import FOLDER, made

MADE_BY = "made by `python -m tests.cli.samples`"


@pytest.fixture(scope="module")
def anew() -> dict[str, list[history.Entry]]:
    return made()


def test_each_sample_has_its_file_and_each_file_is_a_sample() -> None:
    assert sorted(f"{name}{sample.SUFFIX}" for name in sample.names()) == sorted(
        path.name for path in FOLDER.iterdir()
    )


@pytest.mark.parametrize("name", sample.names())
def test_a_sample_is_what_the_service_reads_of_the_run(
    name: str, anew: dict[str, list[history.Entry]]
) -> None:
    kept = (FOLDER / f"{name}{sample.SUFFIX}").read_text(encoding="utf-8")

    assert kept == "".join(history.line(entry) + "\n" for entry in anew[name]), MADE_BY


@pytest.mark.parametrize("name", sample.names())
def test_a_sample_is_the_last_event_of_its_story(name: str) -> None:
    told = [entry.event for entry in sample.story(name)]

    assert sample.load(name).event == told[-1]
    assert told == sorted(told, key=lambda event: int(event.run_id))


def test_a_failed_model_is_told_with_what_was_skipped_because_of_it() -> None:
    entry = sample.load("failed-model")

    failed = [each for each in entry.answer.results if each.status is Status.FAILED]
    skipped = [each for each in entry.answer.results if each.status is Status.SKIPPED]
    assert outcome(entry.event) is Outcome.FAILED
    assert [(each.name, each.owner) for each in failed] == [("orders", "Finance data")]
    assert len(skipped) == 11


def test_what_came_first_is_the_same_job() -> None:
    before, after = sample.story("recovered")

    assert before.event.job_id == after.event.job_id
    assert (outcome(before.event), outcome(after.event)) == (Outcome.FAILED, Outcome.SUCCEEDED)


def test_another_name_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(Mistake, match=r"no sample `failed-modle`; did you mean `failed-model`\?"):
        sample.load("failed-modle")
