import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import event
from shared.event import RunEvent, UnreadableEvent

DATA: dict[str, Any] = {
    "jobId": "123",
    "jobName": "Daily",
    "runId": "12345",
    "environmentId": "1234",
    "environmentName": "Production",
    "projectId": "167194",
    "projectName": "Analytics",
    "runStatus": "Errored",
    "runStatusCode": 20,
    "runStatusMessage": "None",
    "runErroredAt": "2023-01-31T21:14:41Z",
}
TOLD: dict[str, Any] = {
    "accountId": 1,
    "eventId": "wev_1",
    "timestamp": "2023-01-31T21:15:20.419714619Z",
    "eventType": "job.run.errored",
}


def a_body(data: dict[str, Any] | None = None, **told: Any) -> bytes:
    return json.dumps(TOLD | told | {"data": DATA | (data or {})}).encode()


def test_an_event_tells_of_one_run() -> None:
    assert event.read(a_body()) == RunEvent(
        id="wev_1",
        type="job.run.errored",
        account_id="1",
        job_id="123",
        run_id="12345",
        occurred_at=datetime(2023, 1, 31, 21, 15, 20, 419714, tzinfo=UTC),
        environment_id="1234",
        project_id="167194",
        job_name="Daily",
        environment_name="Production",
        project_name="Analytics",
        status="Errored",
        status_code=20,
        status_message="",
        finished_at=datetime(2023, 1, 31, 21, 14, 41, tzinfo=UTC),
    )


@pytest.mark.parametrize("kind", ["job.run.started", "job.run.completed", "job.run.errored"])
def test_three_types_of_events_are_known(kind: str) -> None:
    assert event.read(a_body(eventType=kind)).type == kind


@pytest.mark.parametrize("written", [9223372036854775807, "9223372036854775807"])
def test_an_id_may_be_a_number_or_text_of_64_bits(written: object) -> None:
    assert event.read(a_body({"runId": written})).run_id == "9223372036854775807"


@pytest.mark.parametrize(
    "written", [None, "", "None", "abc", "-1", -1, 1.5, True, 2**63, "1" * 20, "\uff11", [], {}]
)
@pytest.mark.parametrize("key", ["jobId", "runId"])
def test_an_event_without_usable_ids_is_unreadable(key: str, written: object) -> None:
    with pytest.raises(UnreadableEvent, match="no usable ids"):
        event.read(a_body({key: written}))


def test_an_event_without_an_account_is_unreadable() -> None:
    with pytest.raises(UnreadableEvent, match="no usable ids"):
        event.read(a_body(accountId=None))


@pytest.mark.parametrize("kind", [None, "", "job.run.paused", 1, ["job.run.started"]])
def test_an_event_of_an_unknown_type_is_unreadable(kind: object) -> None:
    with pytest.raises(UnreadableEvent, match="type that is not known"):
        event.read(a_body(eventType=kind))


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_an_event_without_data_is_unreadable(data: object) -> None:
    with pytest.raises(UnreadableEvent, match="no `data`"):
        event.read(json.dumps(TOLD | {"data": data}).encode())


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"[" * 100_000, b"1" * 5_000]
)
def test_what_is_no_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEvent, match="not a JSON object"):
        event.read(body)


@pytest.mark.parametrize("written", [None, "None", "", 7, [], {}])
def test_a_text_that_is_missing_is_empty(written: object) -> None:
    read = event.read(a_body({"jobName": written, "runStatusMessage": written}))

    assert (read.job_name, read.status_message) == ("", "")


def test_what_nobody_has_documented_is_ignored() -> None:
    assert event.read(a_body({"somethingNew": 1}, webhooksID="wsu_1")) == event.read(a_body())


@pytest.mark.parametrize(
    ("written", "code"), [(10, 10), ("20", 20), (None, None), ("", None), ("x", None), (True, None)]
)
def test_a_status_code_may_be_a_number_or_text(written: object, code: int | None) -> None:
    assert event.read(a_body({"runStatusCode": written})).status_code == code


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2023-01-31T21:15:20Z", datetime(2023, 1, 31, 21, 15, 20, tzinfo=UTC)),
        ("2023-01-31T21:15:20", datetime(2023, 1, 31, 21, 15, 20, tzinfo=UTC)),
        ("2023-01-31T22:15:20+01:00", datetime(2023, 1, 31, 21, 15, 20, tzinfo=UTC)),
        ("2023-01-31T21:15:20.123456789Z", datetime(2023, 1, 31, 21, 15, 20, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1675199720, None),
    ],
)
def test_times_are_utc_and_missing_when_they_cannot_be_read(
    written: object, time: datetime | None
) -> None:
    assert event.read(a_body(timestamp=written)).occurred_at == time


def test_a_run_that_ended_well_says_when() -> None:
    finished = {"runErroredAt": None, "runFinishedAt": "2023-01-31T21:14:41Z"}

    read = event.read(a_body(finished))

    assert read.finished_at == datetime(2023, 1, 31, 21, 14, 41, tzinfo=UTC)


def test_half_a_character_becomes_one_that_can_be_sent_on() -> None:
    assert event.read(a_body({"jobName": "daily \ud83d"})).job_name == "daily ?"


def test_the_id_of_an_event_is_its_own() -> None:
    assert event.event_id(a_body()) == event.read(a_body()).id == "wev_1"


@pytest.mark.parametrize("given", [None, "", "x" * 256, "wev\n1", "wev_é", 7])
def test_an_event_without_a_usable_id_has_one_made_from_its_bytes(given: object) -> None:
    body = a_body(eventId=given)

    assert event.event_id(body) == "sha256-" + hashlib.sha256(body).hexdigest()
    assert event.read(body).id == event.event_id(body)


def test_what_is_unreadable_has_an_id_too() -> None:
    assert event.event_id(b"{") == "sha256-" + hashlib.sha256(b"{").hexdigest()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    told=st.fixed_dictionaries({}, optional=dict.fromkeys([*TOLD, "data"], JSON)),
    data=st.fixed_dictionaries({}, optional=dict.fromkeys(DATA, JSON)),
)
def test_whatever_is_told_is_read_or_unreadable(told: dict[str, Any], data: dict[str, Any]) -> None:
    for body in (json.dumps(told), json.dumps(TOLD | told | {"data": DATA | data})):
        try:
            read = event.read(body.encode("utf-8", "replace"))
        except UnreadableEvent:
            continue
        assert read.account_id.isdigit()
        assert read.run_id.isdigit()
        json.dumps(read.job_name, ensure_ascii=False).encode()


@given(st.binary())
def test_whatever_bytes_come_are_read_or_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        event.read(body)


@pytest.mark.parametrize("letter", ["x", "é", "א", "🙂", '"', "\\", "\n"])
@pytest.mark.parametrize("event_id", ["wev_1", None])
def test_an_event_that_is_too_large_to_be_kept_is_kept_with_shorter_texts(
    letter: str, event_id: str | None
) -> None:
    told = json.loads(a_body({"runStatusMessage": letter * 400_000}))
    told["eventId"] = event_id
    body = json.dumps(told, ensure_ascii=False).encode()

    kept = event.shortened(body, event.read(body), 100_000)

    assert len(json.dumps(kept)) < 100_000
    assert event.read(kept.encode()) == event.read(body)


def test_an_event_that_can_be_kept_is_kept_to_the_letter() -> None:
    body = a_body()

    assert event.shortened(body, event.read(body), 100_000) == body.decode()
