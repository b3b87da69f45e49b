import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lab.dbt_cloud.cloud import DbtCloud
from lab.dbt_cloud.webhooks import Webhooks
from lab.faults import Fault, Faults, WithFaults
from lab.serve import serve

SECRET = "the subscription's secret"


class Receiver:
    """Takes what is sent to it, and keeps it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.faults = Faults()
        self.taken: list[tuple[bytes, str | None]] = []

    async def take(self, request: Request) -> Response:
        self.taken.append((await request.body(), request.headers.get("authorization")))
        return Response(status_code=202)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in self.taken]


@pytest.fixture(scope="module")
def served() -> Iterator[Receiver]:
    receiver = Receiver("")
    app = Starlette(routes=[Route("/", receiver.take, methods=["POST"])])
    with serve(WithFaults(app, receiver.faults)) as url:
        receiver.url = f"{url}/"
        yield receiver


@pytest.fixture
def receiver(served: Receiver) -> Receiver:
    served.faults.always(None)
    served.taken.clear()
    return served


@pytest.fixture
def webhooks(cloud: DbtCloud) -> Webhooks:
    return Webhooks(cloud.timeline, pauses_s=(0.0,) * 5)


def expected_signature(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_a_completed_event_has_every_field_as_documented(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver
) -> None:
    run = cloud.run(sample="success")

    delivery = webhooks.send(run, "job.run.completed", receiver.url, SECRET)

    (body,) = receiver.bodies
    data = body.pop("data")
    assert list(body) == [
        *("accountId", "webhookId", "eventId", "timestamp", "eventType", "webhookName")
    ]
    assert body["accountId"] == cloud.account_id
    assert re.fullmatch(r"wsu_\w+", body["webhookId"])
    assert re.fullmatch(r"wev_\w{27}", body["eventId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", body["timestamp"])
    assert data == {
        "jobId": str(run.job.id),
        "jobName": "Nightly build",
        "runId": str(run.id),
        "environmentId": str(cloud.production.id),
        "environmentName": "Production",
        "dbtVersion": "1.11.16",
        "projectName": "Teahouse",
        "projectId": str(cloud.project.id),
        "runStatus": "Success",
        "runStatusCode": 10,
        "runStatusMessage": "None",
        "runReason": "scheduled",
        "runStartedAt": f"{run.started_at:%Y-%m-%dT%H:%M:%SZ}",
        "runFinishedAt": f"{run.finished_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert delivery.succeeded


@pytest.mark.parametrize(
    ("event_type", "ended", "not_said"),
    [
        ("job.run.completed", "runFinishedAt", "runErroredAt"),
        ("job.run.errored", "runErroredAt", "runFinishedAt"),
    ],
)
def test_a_failed_run_is_told_twice_with_its_end_under_another_name(
    cloud: DbtCloud, webhooks: Webhooks, event_type: Any, ended: str, not_said: str
) -> None:
    run = cloud.run(sample="model_error")

    data = json.loads(webhooks.event(run, event_type).body)["data"]

    assert (data["runStatus"], data["runStatusCode"]) == ("Errored", 20)
    assert data["runStatusMessage"] == "dbt command failed"
    assert datetime.fromisoformat(data[ended]) == (run.finished_at or run.started_at).replace(
        microsecond=0
    )
    assert not_said not in data


def test_a_started_run_has_no_end(cloud: DbtCloud, webhooks: Webhooks) -> None:
    run = cloud.start()

    data = json.loads(webhooks.event(run, "job.run.started").body)["data"]

    assert (data["runStatus"], data["runStatusCode"]) == ("Running", 3)
    assert not {"runFinishedAt", "runErroredAt"} & data.keys()


def test_no_event_is_of_the_future(cloud: DbtCloud, webhooks: Webhooks) -> None:
    run = cloud.run()

    told = json.loads(webhooks.event(run, "job.run.completed").body)["timestamp"]

    assert told[:26] < f"{datetime.now(run.started_at.tzinfo):%Y-%m-%dT%H:%M:%S.%f}"


def test_the_signature_is_of_the_raw_bytes_and_has_no_prefix(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver
) -> None:
    job = cloud.add_job("Täglicher Lauf")

    webhooks.send(cloud.run(job), "job.run.completed", receiver.url, SECRET)

    ((body, signature),) = receiver.taken
    assert signature == expected_signature(body)
    assert "Täglicher Lauf".encode() in body
    for ensure_ascii in (True, False):
        assert body != json.dumps(json.loads(body), ensure_ascii=ensure_ascii).encode()


@pytest.mark.parametrize("status", [301, 307, 400, 401, 408, 429, 500, 503])
def test_anything_but_2xx_is_sent_again_with_the_same_id_up_to_five_times(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver, status: int
) -> None:
    refusal = Fault("answer", status=status, headers={"Location": receiver.url})
    receiver.faults.next(refusal, times=2)

    delivery = webhooks.send(cloud.run(), "job.run.completed", receiver.url, SECRET)

    assert delivery.statuses == (status, status, 202)
    assert [body["eventId"] for body in receiver.bodies] == [delivery.event.id]


def test_after_five_retries_it_is_given_up(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver
) -> None:
    receiver.faults.always(Fault("answer", status=500))

    delivery = webhooks.send(cloud.run(), "job.run.completed", receiver.url, SECRET)

    assert delivery.statuses == (500,) * 6
    assert not delivery.succeeded
    assert webhooks.deliveries == [delivery]


def test_a_lost_answer_means_the_same_event_once_more(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver
) -> None:
    receiver.faults.next(Fault("lost"))

    delivery = webhooks.send(cloud.run(), "job.run.completed", receiver.url, SECRET)

    assert delivery.statuses == (None, 202)
    assert len(receiver.taken) == 2
    assert receiver.taken[0] == receiver.taken[1]


def test_an_answer_that_comes_too_late_counts_as_none(cloud: DbtCloud, receiver: Receiver) -> None:
    webhooks = Webhooks(cloud.timeline, pauses_s=(0.0,), timeout_s=0.2)
    receiver.faults.next(Fault("slow", seconds=1.0))

    delivery = webhooks.send(cloud.run(), "job.run.completed", receiver.url, SECRET)

    assert delivery.statuses == (None, 202)


def test_the_same_event_can_be_sent_twice_on_purpose(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver
) -> None:
    event = webhooks.event(cloud.run(), "job.run.completed")

    for _ in range(2):
        webhooks.deliver(event, receiver.url, SECRET)

    assert [body["eventId"] for body in receiver.bodies] == [event.id, event.id]


def test_events_about_one_run_have_ids_of_their_own(cloud: DbtCloud, webhooks: Webhooks) -> None:
    run = cloud.run(sample="model_error")

    errored, completed = (
        webhooks.event(run, "job.run.errored"),
        webhooks.event(run, "job.run.completed"),
    )

    assert errored.id != completed.id


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "Bearer x"])
def test_a_forged_event_is_sent_once_with_whatever_signature(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver, signature: str | None
) -> None:
    event = webhooks.event(cloud.run(), "job.run.completed")

    webhooks.forge(event, receiver.url, signature)

    ((body, shown),) = receiver.taken
    assert (body, shown) == (event.body, signature)
    assert webhooks.deliveries == []


@pytest.mark.parametrize("signed", [True, False])
def test_testing_the_endpoint_tells_of_a_run_that_does_not_exist(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver, *, signed: bool
) -> None:
    webhooks.send_test(receiver.url, SECRET, signed=signed)

    ((body, signature),) = receiver.taken
    assert signature == (expected_signature(body) if signed else None)
    told = json.loads(body)
    assert told["accountId"] != cloud.account_id
    assert int(told["data"]["runId"]) not in cloud.runs


def test_the_timeline_shows_every_attempt(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver
) -> None:
    receiver.faults.next(Fault("answer", status=503))

    delivery = webhooks.send(cloud.run(), "job.run.completed", receiver.url, SECRET)

    sent = [m for m in cloud.timeline.moments if m.facts.get("event") == delivery.event.id]
    assert [(m.side, m.facts["status"]) for m in sent] == [
        ("dbt Cloud", "503"),
        ("dbt Cloud", "202"),
    ]


def test_several_threads_may_send_at_once(
    cloud: DbtCloud, webhooks: Webhooks, receiver: Receiver
) -> None:
    events = [webhooks.event(cloud.run(), "job.run.completed") for _ in range(8)]
    threads = [
        threading.Thread(target=webhooks.deliver, args=(event, receiver.url, SECRET))
        for event in events
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert {body["eventId"] for body in receiver.bodies} == {event.id for event in events}


def test_it_waits_before_each_retry(cloud: DbtCloud, receiver: Receiver) -> None:
    receiver.faults.next(Fault("answer", status=500), times=2)
    webhooks = Webhooks(cloud.timeline, pauses_s=(0.05, 0.1))
    began = time.monotonic()

    webhooks.send(cloud.run(), "job.run.completed", receiver.url, SECRET)

    assert time.monotonic() - began >= 0.15
