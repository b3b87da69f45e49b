"""Which refresh of a dataset is ours."""

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import PermanentFailure
from subscriber.actions import Handle
from subscriber.outbound import Reply
from subscriber.saying.power_bi_refresh import How, Started, kept, started
from tests.builders import NOW

WORKSPACE = "f089354e-8366-4e18-aea3-4cb4a3a50b48"
DATASET = "cfafbeb1-8037-4d0c-896e-a46fb27ff229"
ID = "87f31ef7-1e3a-4006-9b0b-191693e79e9e"


def a_start(how: How = "standard", **headers: str) -> Started:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return started(how, WORKSPACE, DATASET, Reply(202, headers=named), NOW)


def an_entry(seconds: float, **fields: Any) -> dict[str, Any]:
    began = (NOW + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat() + "Z"
    return {"refreshType": "ViaApi", "startTime": began, "requestId": f"at {seconds}", **fields}


@pytest.mark.parametrize("how", ["standard", "enhanced"])
@pytest.mark.parametrize("id_", ["", ID])
def test_what_is_kept_in_a_handle_is_found_in_it_again(how: How, id_: str) -> None:
    begun = a_start(how, x_ms_request_id=id_)

    assert kept(Handle(begun.key)) == begun
    assert begun.id == id_


@pytest.mark.parametrize("key", ["", "standard/a/b", "standard/a/b/yesterday/c", "a/b/c/d/e/f"])
def test_a_handle_of_something_else_is_not_followed(key: str) -> None:
    with pytest.raises(PermanentFailure):
        kept(Handle(key))


@pytest.mark.parametrize(
    ("how", "headers", "id_"),
    [
        ("enhanced", {"Location": f"https://evil.example/x/{ID}?y=1"}, ID),
        ("enhanced", {"Location": f"/v1.0/refreshes/{ID}", "x_ms_request_id": "other"}, ID),
        ("enhanced", {"Location": "https://x/refreshes/", "x_ms_request_id": ID}, ID),
        ("enhanced", {"Location": "https://x/..%2f", "x_ms_request_id": ID}, ID),
        ("enhanced", {"Location": "https://[x/y/"}, ""),
        ("enhanced", {"x_ms_request_id": "../../x"}, ""),
        ("standard", {"x_ms_request_id": ID, "RequestId": "other"}, ID),
        ("standard", {"RequestId": ID}, ID),
        ("standard", {"Location": f"https://x/{ID}"}, ""),
        ("standard", {}, ""),
    ],
)
def test_a_refresh_is_named_by_one_header_or_another(
    how: How, headers: dict[str, str], id_: str
) -> None:
    assert a_start(how, **headers).id == id_


def test_ours_is_the_one_of_our_request() -> None:
    history = [an_entry(90), an_entry(60, requestId=ID.upper()), an_entry(30)]

    assert a_start(RequestId=ID).ours(history) == history[1]


def test_ours_is_else_the_first_that_began_after_it_was_asked_for() -> None:
    history = [
        an_entry(90, refreshType="Scheduled"),
        an_entry(80, refreshType="ViaEnhancedApi"),
        an_entry(70),
        an_entry(60),
        an_entry(-3_600),
    ]

    for begun in (a_start(), a_start(RequestId=ID)):
        assert begun.ours(history) == history[3]
    assert a_start("enhanced").ours(history) == history[1]


@pytest.mark.parametrize(("seconds", "is_ours"), [(-29, True), (-31, False), (-3_600, False)])
def test_one_that_began_before_is_not_ours(seconds: float, is_ours: Any) -> None:
    assert (a_start().ours([an_entry(seconds)]) is not None) is is_ours


def test_a_clock_of_ours_that_is_ahead_does_not_hide_it() -> None:
    begun = a_start(Date="Mon, 05 Jan 2026 11:00:00 GMT")

    assert begun.ours([an_entry(-3_600)]) is not None


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 05 Jan 2026 13:00:00 GMT"])
def test_a_clock_of_theirs_that_is_ahead_or_missing_does_no_harm(date: str) -> None:
    assert a_start(Date=date).since == NOW - timedelta(seconds=30)


@pytest.mark.parametrize("began", [None, 7, "", "yesterday"])
def test_an_entry_without_a_time_is_nobodys(began: object) -> None:
    assert a_start().ours([an_entry(0, startTime=began)]) is None


@pytest.mark.parametrize("began", ["2026-01-05T12:00:00.1234567Z", "2026-01-05T12:00:00.123"])
def test_times_are_read_as_power_bi_writes_them(began: str) -> None:
    assert a_start().ours([an_entry(0, startTime=began)]) is not None


def test_a_history_without_ours_has_none() -> None:
    assert a_start().ours([]) is None
