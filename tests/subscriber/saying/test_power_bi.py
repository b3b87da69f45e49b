"""What Power BI says: why it refuses, and how a refresh ended."""

import json
from typing import Any

import pytest

from subscriber.outbound import Busy, Refused, Reply
from subscriber.progress import Done, Failed, Progress, Running
from subscriber.saying import power_bi

GOING_ON = "Invalid dataset refresh request. Another refresh request is already executing"
USED_UP = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded"


def a_refusal(status: int, text: str, code: str = "InvalidRequest") -> Refused | Busy:
    content = {"error": {"code": code, "message": text}}
    reply = Reply(status, content, json.dumps(content))
    if status == 429:
        return Busy("api.example answered 429", status=429, retry_after_s=30, reply=reply)
    return Refused(f"api.example answered {status}", status, reply)


def said(failure: Refused | Busy, *, enhanced: bool = False) -> Refused | Busy:
    return power_bi.refused(failure, "gone (404)", enhanced=enhanced)


@pytest.mark.parametrize("status", [400, 409])
def test_another_refresh_that_is_going_on_is_waited_for(status: int) -> None:
    failure = said(a_refusal(status, GOING_ON))

    assert isinstance(failure, Busy)
    assert failure.status == status
    assert failure.retry_after_s == 60
    assert "may have begun before the new data was there" in str(failure)


def test_a_conflict_is_another_refresh_whatever_its_text() -> None:
    assert isinstance(said(a_refusal(409, "")), Busy)


@pytest.mark.parametrize("status", [400, 403, 409, 429])
@pytest.mark.parametrize(("text", "code"), [(USED_UP, "InvalidRequest"), ("", "Request Throttled")])
def test_a_days_refreshes_that_are_used_up_are_waited_for_by_the_hour(
    status: int, text: str, code: str
) -> None:
    failure = said(a_refusal(status, text, code))

    assert isinstance(failure, Busy)
    assert failure.retry_after_s == 3_600
    assert "8 in 24 hours, scheduled ones included" in str(failure)


def test_too_many_requests_are_not_a_days_refreshes() -> None:
    text = "You have exceeded the amount of requests allowed. Retry in 30 seconds."

    failure = said(a_refusal(429, text))

    assert isinstance(failure, Busy)
    assert failure.retry_after_s == 30
    assert "no more requests of the app for now" in str(failure)


@pytest.mark.parametrize(
    ("status", "fixes"),
    [
        (401, ["tenant setting", "`login_url` and `base_url` are of one cloud"]),
        (403, ["tenant setting", "member or contributor of the workspace"]),
        (404, ["gone (404)"]),
        (400, ["not in DirectQuery mode"]),
        (413, ["api.example answered 413"]),
    ],
)
def test_each_refusal_has_its_fix_and_keeps_its_status(status: int, fixes: list[str]) -> None:
    failure = said(a_refusal(status, "the token eyJ0 is no good", "eyJ0"))

    assert isinstance(failure, Refused)
    assert failure.status == status
    assert [fix for fix in fixes if fix not in str(failure)] == []
    assert "eyJ0" not in str(failure)


@pytest.mark.parametrize("text", ["DirectQuery", "in Direct Query mode", "a live connection"])
def test_a_dataset_without_data_of_its_own_is_refused_for_good(text: str) -> None:
    failure = said(a_refusal(400, f"Invalid dataset refresh request. {text}"))

    assert isinstance(failure, Refused)
    assert "nothing to refresh; take it out of the rules" in str(failure)


@pytest.mark.parametrize("text", ["shared capacity", "Premium only", "Enhanced refresh"])
def test_an_enhanced_refresh_on_shared_capacity_is_refused_for_good(text: str) -> None:
    failure = said(a_refusal(400, text), enhanced=True)

    assert isinstance(failure, Refused)
    assert "use `refresh: standard`" in str(failure)
    assert "refresh: standard" not in str(said(a_refusal(400, text)))


def test_what_else_is_wrong_with_an_enhanced_refresh_may_be_its_parts() -> None:
    assert "what `objects` names" in str(said(a_refusal(400, "x"), enhanced=True))


def test_other_failures_stay_as_they_are() -> None:
    busy = Busy("api.example answered 503", status=503, retry_after_s=7)

    assert said(busy) is busy


@pytest.mark.parametrize(
    ("status", "code", "is_so"),
    [
        (401, "TokenExpired", True),
        (401, "", True),
        (403, "TokenExpired", True),
        (403, "PowerBINotAuthorizedException", False),
        (400, "TokenExpired", False),
    ],
)
def test_another_token_may_help_where_this_one_has_expired(
    status: int,
    code: str,
    is_so: Any,
) -> None:
    assert power_bi.is_about_the_token(a_refusal(status, "", code)) is is_so


END = {"endTime": "2026-01-05T12:01:00Z"}
WITHOUT_A_WORD = Failed("the refresh of the dataset ended, and Power BI does not say how")


@pytest.mark.parametrize(
    ("entry", "progress"),
    [
        ({"status": "Unknown"}, Running()),
        ({"status": "Unknown", "endTime": None}, Running()),
        ({"status": "InProgress"}, Running()),
        ({}, Running()),
        ({"status": "Completed", **END}, Done()),
        ({"status": "Failed", **END}, Failed("the refresh of the dataset failed")),
        ({"status": "Disabled"}, Failed("the refresh of the dataset was switched off")),
        ({"status": "Cancelled"}, Failed("the refresh of the dataset was cancelled")),
        ({"status": "Unknown", **END}, WITHOUT_A_WORD),
        ({"status": "Odd", **END}, WITHOUT_A_WORD),
        ({"status": ["Failed"]}, Running()),
    ],
)
def test_unknown_without_an_end_means_in_progress(
    entry: dict[str, Any], progress: Progress
) -> None:
    assert power_bi.of_history(entry) == progress


@pytest.mark.parametrize(
    ("status", "content", "progress"),
    [
        (202, {"status": "Unknown", "extendedStatus": "InProgress"}, Running()),
        (202, {"status": "Completed"}, Running()),
        (200, {"status": "Completed", "extendedStatus": "Completed", **END}, Done()),
        (200, {"status": "Completed", **END}, Done()),
        (200, {"status": "Completed", "extendedStatus": "Unknown", **END}, Done()),
        (200, {"status": "Failed", "extendedStatus": "TimedOut"}, "ran out of time"),
        (200, {"status": "Failed", "extendedStatus": "Cancelled"}, "was cancelled"),
        (200, {"status": "Unknown", "extendedStatus": "Disabled"}, "was switched off"),
        (200, {"status": "Unknown", "extendedStatus": "NotStarted"}, Running()),
        (200, {"status": "Unknown", "extendedStatus": "Unknown", **END}, WITHOUT_A_WORD),
        (200, None, Running()),
        (200, [], Running()),
    ],
)
def test_an_enhanced_refresh_is_over_when_it_is_no_longer_202(
    status: int, content: object, progress: Progress | str
) -> None:
    told = power_bi.of_details(Reply(status, content))

    if isinstance(progress, str):
        progress = Failed(f"the refresh of the dataset {progress}")
    assert told == progress


def reason(**entry: Any) -> str:
    told = power_bi.of_history({"status": "Failed", **entry})
    assert isinstance(told, Failed)
    return told.reason.removeprefix("the refresh of the dataset failed")


def test_the_code_of_what_went_wrong_is_the_reason() -> None:
    assert reason(serviceExceptionJson='{"errorCode":"GatewayNotReachable"}') == (
        ": GatewayNotReachable"
    )


def test_a_code_that_is_known_has_its_fix() -> None:
    code = "ModelRefreshFailed_CredentialsNotSpecified"

    assert reason(serviceExceptionJson=json.dumps({"errorCode": code})) == (
        f": {code}: enter the credentials of its data source, in the dataset's settings"
    )


def test_the_description_is_told_too_as_far_as_it_is_harmless() -> None:
    text = "line one\nline \x00two \u202e password=hunter22 " + "long " * 20_000
    told = reason(serviceExceptionJson=json.dumps({"errorCode": "E1", "errorDescription": text}))

    assert told.startswith(": E1: line one line two password=[redacted] long long")
    assert told.endswith("…")
    assert len(told) <= 2 + power_bi.REASON_LIMIT


def test_the_last_attempt_may_be_the_one_that_says_it() -> None:
    attempts = [
        {"attemptId": 1, "serviceExceptionJson": '{"errorCode":"First"}'},
        {"attemptId": 2, "serviceExceptionJson": '{"errorCode":"Second"}'},
        {"attemptId": 3},
        "odd",
    ]

    assert reason(refreshAttempts=attempts) == ": Second"


def test_an_enhanced_refresh_says_it_in_its_messages() -> None:
    messages = [
        {"type": "Warning", "message": "slow"},
        {"type": "Error", "code": "0xC11C0020", "message": "column orders[id] is gone"},
        {"type": "Error", "message": "and more"},
    ]

    assert reason(messages=messages) == ": column orders[id] is gone"
    assert reason(messages=[{"code": "0xC11C0020"}]) == ": 0xC11C0020"


@pytest.mark.parametrize(
    "odd", ["", "{", "[]", "7", "null", '{"errorCode":7}', "[" * 100_000, 7, None, {}]
)
def test_a_reason_that_cannot_be_read_is_left_out(odd: object) -> None:
    assert reason(serviceExceptionJson=odd, messages=odd, refreshAttempts=odd) == ""


@pytest.mark.parametrize("content", [None, [], {}, {"value": None}, {"value": ["x", 7]}])
def test_a_history_that_cannot_be_read_is_empty(content: object) -> None:
    assert power_bi.entries(Reply(200, content)) == []
