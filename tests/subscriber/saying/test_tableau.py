"""What Tableau answers, in words: also what no stand-in of ours would answer."""

from typing import Any

import pytest

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.outbound import Busy, Refused, Reply
from subscriber.progress import Done, Failed, Progress, Running
from subscriber.saying import tableau
from subscriber.saying.tableau import Found, Place

PLACE = Place("https://10ax.online.tableau.com", "acme", "afterrun", "3.21")
WHAT = "the workbook Sales"


def refused(status: int, code: object = "", content: object = None) -> Refused:
    error = {"error": {"summary": "s", "detail": "d", "code": code}}
    return Refused(f"answered {status}", status, Reply(status, content or error))


def a_job(**fields: object) -> Reply:
    return Reply(200, {"job": fields})


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (400, "400000", "was not understood: check `api_version`"),
        (400, "400031", "cannot tell how an incremental refresh ended"),
        (403, "403004", "may not refresh the workbook Sales"),
        (403, "403999", "may not refresh the workbook Sales"),
        (404, "404000", "the site acme is not there any more"),
        (404, "404003", "version 3.21 of its API has no such call"),
        (404, "404006", "the workbook Sales is not on the site acme"),
        (404, "404004", "the workbook Sales is not on the site acme"),
        (409, "409090", "a live connection"),
        (400, "409090", "a live connection"),  # users saw it labelled so
        (409, 409090, "a live connection"),
        (409, "409001", "it is in conflict with what the workbook Sales is doing (code 409001)"),
        (409, "<script>", "(code unknown)"),
        (410, "410000", "answered 410"),
    ],
)
def test_each_code_is_told_apart(status: int, code: object, told: str) -> None:
    said = tableau.refused(PLACE, WHAT, refused(status, code))

    assert told in str(said)
    assert isinstance(said, Refused)
    assert said.status == status


@pytest.mark.parametrize("status", [400, 409])
def test_what_is_queued_already_is_a_reason_to_come_back(status: int) -> None:
    said = tableau.refused(PLACE, WHAT, refused(status, "409093"))

    assert isinstance(said, TemporaryFailure)
    assert said.retry_after_s == 60


def test_a_code_in_xml_is_understood_as_well() -> None:
    body = '<tsResponse><error code="409093"><summary>Resource Conflict</summary></error>'

    said = tableau.refused(PLACE, WHAT, Refused("answered 409", 409, Reply(409, None, body)))

    assert isinstance(said, TemporaryFailure)


@pytest.mark.parametrize("content", [[], "text", {"error": "text"}, {"error": {"code": None}}])
def test_a_refusal_that_says_nothing_is_told_by_its_status(content: Any) -> None:
    said = tableau.refused(PLACE, WHAT, refused(403, content=content))

    assert "may not refresh" in str(said)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, "does it speak version 3.21"),
        (401, "make a new token"),
        (403, "is to allow its owner to use personal access tokens"),
        (404, "check `base_url`"),
        (307, "answered 307"),
    ],
)
def test_a_refused_sign_in_says_what_mends_it(status: int, told: str) -> None:
    said = tableau.sign_in_refused(PLACE, refused(status))

    assert told in str(said)
    assert said.status == status


def test_being_asked_too_often_keeps_the_pause_that_was_asked_for() -> None:
    said = tableau.too_often(PLACE, Busy("answered 429", status=429, retry_after_s=7))

    assert "asked too often" in str(said)
    assert (said.status, said.retry_after_s) == (429, 7)


@pytest.mark.parametrize(
    ("fields", "progress"),
    [
        ({"id": "x"}, Running()),
        ({"finishCode": 0, "progress": 100}, Running()),
        ({"finishCode": "1", "completedAt": ""}, Running()),
        ({"finishCode": -1, "completedAt": None}, Running()),
        ({"finishCode": 0, "completedAt": "2026-01-05T12:00:00Z"}, Done()),
        ({"finishCode": "3", "completedAt": "2026-01-05T12:00:00Z"}, Done()),
    ],
)
def test_numbers_may_be_texts_and_the_time_comes_first(
    fields: dict[str, object], progress: Progress
) -> None:
    assert tableau.ended(a_job(**fields)) == progress


@pytest.mark.parametrize("code", ["-1", "4", None, "x" * 1_000])
def test_an_unknown_end_is_no_good_end(code: object) -> None:
    told = tableau.ended(a_job(finishCode=code, completedAt="2026-01-05T12:00:00Z"))

    assert isinstance(told, Failed)
    assert "unknown finish code" in told.reason
    assert len(told.reason) < 100


@pytest.mark.parametrize("content", [None, [], {}, {"job": []}, {"job": {}}, "text"])
def test_an_answer_without_a_job_says_nothing_of_it(content: object) -> None:
    with pytest.raises(TemporaryFailure):
        tableau.ended(Reply(200, content))


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ("one\ntwo\x00", "one two"),
        (["one", "two", 3], "one two"),
        ("host=db password=hunter2 failed", "host=db password=[redacted] failed"),
        ("\u202egnp.exe", "gnp.exe"),
    ],
)
def test_notes_are_told_in_one_line_without_secrets(notes: object, told: str) -> None:
    details = {"workbook": {"name": "Sales"}, "notes": notes}
    job = a_job(finishCode=1, completedAt="x", extractRefreshJob=details)

    assert tableau.ended(job) == Failed(f"Tableau could not refresh the workbook Sales: {told}")


def test_notes_of_any_length_are_cut() -> None:
    details = {"flow": {"name": "F" * 100_000}, "notes": "🙂" * 100_000}

    told = tableau.ended(a_job(finishCode=1, completedAt="x", runFlowJobType=details))

    assert isinstance(told, Failed)
    assert len(told.reason) < 500
    assert told.reason.endswith("🙂…")


@pytest.mark.parametrize("details", [None, [], {"workbook": "Sales"}, {"notes": 7}])
def test_a_job_that_says_little_failed_all_the_same(details: object) -> None:
    told = tableau.ended(a_job(finishCode=1, completedAt="x", extractRefreshJob=details))

    assert told == Failed("Tableau could not refresh what was asked for")


@pytest.mark.parametrize(
    "url", [None, "", 7, "javascript:alert(1)", "https://x.example/#/workbooks/1"]
)
def test_only_a_pages_address_is_kept(url: object) -> None:
    listed = Reply(200, {"workbooks": {"workbook": [{"id": "a", "name": "b", "webpageUrl": url}]}})

    expected = str(url) if str(url).startswith("https") else ""
    assert tableau.found(PLACE, "workbook", "b", listed) == Found("a", expected)


@pytest.mark.parametrize(
    "content",
    [
        None,
        {"workbooks": {}},
        {"workbooks": {"workbook": {}}},
        {"workbooks": {"workbook": [7, None, {"name": "other", "id": "x"}]}},
    ],
)
def test_a_name_that_is_not_listed_is_not_found(content: object) -> None:
    with pytest.raises(PermanentFailure, match="no workbook called b"):
        tableau.found(PLACE, "workbook", "b", Reply(200, content))
