import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from lab import webhook_signature
from lab.faults import Fault
from lab.serve import serve
from lab.timeline import Timeline
from lab.webhook_receiver import CLOUDEVENTS, Receiver
from tests.builders import NOW, Clock

SECRET = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()
FORMER = "whsec_" + base64.b64encode(b"another one of over 24 bytes!").decode()
EVENT = {
    "type": "dbt.run.failed",
    "timestamp": "2026-01-05T12:00:00+00:00",
    "data": {"headline": "orders failed"},
}
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "msg_1",
    "source": "/afterrun",
    "type": "dbt.run.failed",
    "time": "2026-01-05T12:00:00Z",
    "data": {},
}


class Service:
    """A receiver that serves, and how to send to it."""

    def __init__(self, url: str, receiver: Receiver, timeline: Timeline, clock: Clock) -> None:
        self.url = url
        self.receiver = receiver
        self.timeline = timeline
        self.clock = clock

    def send(self, event: Any = EVENT, **changed: Any) -> requests.Response:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        signed = headers(body, **changed)
        return requests.post(f"{self.url}/hooks", data=body, headers=signed, timeout=5)


def headers(
    body: bytes,
    *,
    webhook_id: str = "msg_1",
    at: datetime = NOW,
    secrets: tuple[str, ...] = (SECRET,),
    media: str = "application/json",
) -> dict[str, str]:
    """As the independent library signs."""
    signatures = [Webhook(s).sign(webhook_id, at, body.decode("latin-1")) for s in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
        "content-type": media,
    }


@pytest.fixture
def service() -> Iterator[Service]:
    timeline, clock = Timeline(), Clock()
    receiver = Receiver(SECRET, timeline=timeline, clock=clock)
    with serve(receiver.app) as url:
        yield Service(url, receiver, timeline, clock)


def test_what_the_independent_library_signs_is_taken(service: Service) -> None:
    answer = service.send()

    assert (answer.status_code, answer.content) == (204, b"")
    assert service.receiver.events == {"msg_1": EVENT}
    assert service.receiver.requests[0].headers["webhook-id"] == "msg_1"


def test_an_id_that_comes_again_is_taken_once_and_answered_as_before(service: Service) -> None:
    service.send()
    service.clock.passes(60)

    answer = service.send(at=NOW + timedelta(seconds=60))

    assert answer.status_code == 204
    assert len(service.receiver.events) == 1
    assert service.receiver.duplicates == ["msg_1"]


def test_while_a_secret_is_rotated_one_signature_of_several_suffices(service: Service) -> None:
    assert service.send(secrets=(FORMER, SECRET)).status_code == 204
    assert service.send(secrets=(SECRET, FORMER)).status_code == 204

    service.receiver.secrets = {FORMER}
    assert service.send(secrets=(SECRET, FORMER)).status_code == 204
    assert service.send(secrets=(SECRET,)).status_code == 401


def test_another_body_than_the_signed_one_is_refused(service: Service) -> None:
    signed = headers(json.dumps(EVENT).encode())

    answer = requests.post(
        service.url, data=json.dumps(EVENT | {"type": "x"}), headers=signed, timeout=5
    )

    assert (answer.status_code, answer.json()) == (401, {"error": "no signature matches"})
    assert service.receiver.events == {}


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_timestamp_that_is_not_of_now_is_refused(service: Service, seconds: int) -> None:
    answer = service.send(at=NOW + timedelta(seconds=seconds))

    assert answer.json() == {"error": "the timestamp is too old or too new"}


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_of_now(service: Service, seconds: int) -> None:
    assert service.send(at=NOW + timedelta(seconds=seconds)).status_code == 204


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": ""},
        {"webhook-id": "a.b"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "1767614400.5"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "9" * 30},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v1a,AAAA v2,AAAA"},
    ],
)
def test_headers_that_are_not_of_the_standard_are_refused(
    service: Service, changed: dict[str, str]
) -> None:
    body = json.dumps(EVENT).encode()

    answer = requests.post(service.url, data=body, headers=headers(body) | changed, timeout=5)

    assert answer.status_code == 401
    assert service.receiver.events == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"null", b"[" * 5_000])
def test_a_body_that_is_no_json_object_is_refused(service: Service, body: bytes) -> None:
    key = webhook_signature.key(SECRET)
    signature = base64.b64encode(hmac.digest(key, b"msg_1.1767614400." + body, "sha256"))
    signed = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1767614400",
        "webhook-signature": f"v1,{signature.decode()}",
        "content-type": "application/json",
    }

    answer = requests.post(service.url, data=body, headers=signed, timeout=5)

    assert (answer.status_code, answer.json()) == (400, {"error": "the body is no JSON object"})


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (EVENT | {"type": "dbt run failed"}, "`type`"),
        (EVENT | {"type": "dbt..run"}, "`type`"),
        ({"timestamp": EVENT["timestamp"], "data": {}}, "`type`"),
        (EVENT | {"timestamp": "2026-01-05T12:00:00"}, "`timestamp`"),
        (EVENT | {"timestamp": "now"}, "`timestamp`"),
        (EVENT | {"data": []}, "`data`"),
    ],
)
def test_an_event_has_a_type_a_time_and_data(service: Service, event: Any, why: str) -> None:
    answer = service.send(event)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(why)


def test_a_cloud_event_in_structured_mode_is_taken(service: Service) -> None:
    assert service.send(CLOUD_EVENT, media=f"{CLOUDEVENTS}; charset=utf-8").status_code == 204


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"specversion": "0.3"}, "`specversion`"),
        ({"id": ""}, "`id`"),
        ({"source": None}, "`source`"),
        ({"type": 7}, "`type`"),
        ({"time": "2026-01-05"}, "`time`"),
        ({"Extra_name": 1}, "Extra_name"),
    ],
)
def test_a_cloud_event_is_as_its_specification_says(
    service: Service, changed: Any, why: str
) -> None:
    answer = service.send(CLOUD_EVENT | changed, media=CLOUDEVENTS)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(why)


def test_a_body_of_more_than_20_kb_is_refused(service: Service) -> None:
    empty = len(json.dumps(EVENT | {"data": {"text": ""}}))

    def event_of(size: int) -> Any:
        return EVENT | {"data": {"text": "x" * (size - empty)}}

    assert service.send(event_of(20_000)).status_code == 204
    assert service.send(event_of(20_001)).status_code == 413


def test_a_body_that_is_not_said_to_be_json_is_refused(service: Service) -> None:
    assert service.send(media="text/plain").status_code == 415


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", status=410),
        Fault("answer", status=429, headers={"Retry-After": "60"}),
        Fault("answer", status=500),
        Fault("answer", status=302, headers={"Location": "https://elsewhere.example/"}),
    ],
    ids=lambda fault: f"{fault.status}",
)
def test_it_can_answer_otherwise(service: Service, fault: Fault) -> None:
    service.receiver.faults.next(fault)
    body = json.dumps(EVENT).encode()

    answer = requests.post(
        service.url, data=body, headers=headers(body), timeout=5, allow_redirects=False
    )

    assert answer.status_code == fault.status
    assert service.receiver.requests == []


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "a secret of at least 24 bytes",
        "whsec_",
        "whsec_%%%",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
    ],
)
def test_a_secret_is_of_24_to_64_bytes_and_says_what_it_is(secret: str) -> None:
    with pytest.raises(ValueError, match="the secret"):
        webhook_signature.key(secret)


def test_what_it_takes_the_independent_library_takes_as_well(service: Service) -> None:
    at = datetime.now(UTC)
    service.clock.now = at
    service.send(at=at)

    (taken,) = service.receiver.requests

    assert Webhook(SECRET).verify(taken.body, dict(taken.headers)) == EVENT


def test_the_timeline_tells_what_came(service: Service) -> None:
    service.send()
    service.send()
    service.send(secrets=(FORMER,))

    assert [moment.what for moment in service.timeline.moments] == [
        "event received: dbt.run.failed",
        "event received again, and passed over",
        "request refused: no signature matches",
    ]
