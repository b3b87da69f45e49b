"""What each request is answered, and what is published and logged for it."""

import asyncio
import json
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message as Received

from function.body import SIZE_LIMIT_BYTES
from function.signature import Secret
from function.webhook import Message
from function.webhook_secrets import WebhookSecrets
from shared.errors import PermanentFailure, TemporaryFailure
from tests.builders import a_body, signed
from tests.function.fakes import (
    REF,
    SECRET,
    FakePublisher,
    Seconds,
    Values,
    a_receiver,
    a_request,
    a_webhook,
    answer,
    arriving,
    leaving,
    secrets,
    stuck,
)


def told(response: Response) -> object:
    return json.loads(bytes(response.body))


def test_an_authentic_webhook_is_published_and_then_accepted():
    publisher = FakePublisher()
    body = a_body(event_id="wev_7")

    [response] = answer(a_receiver(publisher=publisher), a_webhook(body))

    assert response.status_code == 202
    assert told(response) == {"eventId": "wev_7", "messageId": "message-1"}
    assert [message.data for message in publisher.published] == [body]


def test_it_is_not_accepted_before_it_is_stored():
    stored = asyncio.Event()

    class Waiting(FakePublisher):
        async def publish(self, message: Message, timeout_s: float) -> str:
            await stored.wait()
            return "1"

    async def story() -> int:
        receiver = a_receiver(publisher=Waiting())
        receiving = asyncio.create_task(receiver.receive(a_webhook(a_body())))
        done, _ = await asyncio.wait({receiving}, timeout=0.05)
        assert not done

        stored.set()
        return (await receiving).status_code

    assert asyncio.run(story()) == 202


def test_an_authentic_body_that_tells_of_no_run_is_published_and_accepted():
    publisher = FakePublisher()

    [response] = answer(a_receiver(publisher=publisher), a_webhook(b"not JSON"))

    assert response.status_code == 202
    assert publisher.published[0].data == b"not JSON"
    assert publisher.published[0].attributes["content"] == "unreadable"


@pytest.mark.parametrize("path", ["/", "/health", "/any/where"])
def test_a_post_to_any_path_is_a_webhook(path: str):
    body = a_body()
    headers = [("authorization", signed(body, SECRET))]

    [response] = answer(a_receiver(), a_request(arriving(body), path=path, headers=headers))

    assert response.status_code == 202


def test_every_bad_signature_gets_the_same_answer_and_nothing_is_published():
    publisher = FakePublisher()
    body = a_body()
    right = signed(body, SECRET)
    headers = [
        [],
        [("authorization", "")],
        [("authorization", "é" * 64)],
        [("authorization", f"Bearer {right}")],
        [("authorization", right), ("authorization", right)],
        [("authorization", signed(body, "another secret"))],
        [("x-forwarded-authorization", right)],
    ]

    responses = answer(
        a_receiver(publisher=publisher),
        *(a_request(arriving(body), headers=each) for each in headers),
    )

    assert {response.status_code for response in responses} == {401}
    assert len({bytes(response.body) for response in responses}) == 1
    assert publisher.published == []


def test_a_rotated_secret_is_found_when_a_signature_matches_none():
    values = Values({str(REF): "old"})
    receiver = a_receiver(webhook_secrets=secrets(str(REF), values=values))

    [before] = answer(receiver, a_webhook(a_body(), secret="old"))
    values.values[str(REF)] = "new"
    [after] = answer(receiver, a_webhook(a_body(), secret="new"))

    assert (before.status_code, after.status_code) == (202, 202)


def test_a_malformed_signature_does_not_make_us_read_secrets_anew():
    values = Values()
    receiver = a_receiver(webhook_secrets=secrets(str(REF), values=values))

    answer(receiver, a_webhook(a_body()), a_webhook(a_body(), authorization="nonsense"))

    assert len(values.readings) == 1


def test_the_former_secret_and_the_current_one_are_both_accepted():
    values = Values({"secret:old": "old", "secret:new": "new"})
    receiver = a_receiver(webhook_secrets=secrets("secret:old", "secret:new", values=values))

    responses = answer(
        receiver, a_webhook(a_body(), secret="old"), a_webhook(a_body(), secret="new")
    )

    assert [response.status_code for response in responses] == [202, 202]


@pytest.mark.parametrize("refs", [(), (str(REF),)], ids=["none configured", "none readable"])
def test_without_a_secret_nothing_is_accepted_and_dbt_is_asked_to_send_again(refs: tuple[str, ...]):
    publisher = FakePublisher()
    webhook_secrets = secrets(*refs, values=Values({}))

    [response] = answer(
        a_receiver(webhook_secrets=webhook_secrets, publisher=publisher), a_webhook(a_body())
    )

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert publisher.published == []


@pytest.mark.parametrize(
    ("failure", "level"),
    [
        (TemporaryFailure("Pub/Sub: ServiceUnavailable"), "WARNING"),
        (PermanentFailure("there is no topic projects/p/topics/t: create it"), "ERROR"),
    ],
)
def test_what_cannot_be_published_is_to_be_sent_again_and_the_log_says_why(
    failure: TemporaryFailure | PermanentFailure, level: str, caplog: pytest.LogCaptureFixture
):
    publisher = FakePublisher(failures=[failure])

    [response] = answer(a_receiver(publisher=publisher), a_webhook(a_body()))

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    [record] = caplog.records
    assert record.levelname == level
    assert record.__dict__["fields"]["reason"] == str(failure)


def test_a_body_over_the_limit_is_refused_and_the_connection_closed():
    publisher = FakePublisher()
    too_large = str(SIZE_LIMIT_BYTES + 1)

    [response] = answer(
        a_receiver(publisher=publisher),
        a_request(stuck(), headers=[("content-length", too_large)]),
    )

    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert publisher.published == []


def test_a_client_that_leaves_while_sending_publishes_nothing():
    publisher = FakePublisher()

    answer(a_receiver(publisher=publisher), a_request(leaving(b'{"eventId":')))

    assert publisher.published == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_not_allowed(method: str):
    [response] = answer(a_receiver(), a_request(arriving(), method=method))

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_what_may_be_asked_of_health_is_said():
    [response] = answer(a_receiver(), a_request(arriving(), method="PUT", path="/health"))

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_is_healthy_once_secrets_and_publisher_are_ready(method: str):
    values = Values()
    receiver = a_receiver(webhook_secrets=secrets(str(REF), values=values))

    [response] = answer(receiver, a_request(arriving(), method=method, path="/health"))

    assert response.status_code == 200
    assert len(values.readings) == 1


@pytest.mark.parametrize(
    ("values", "unready", "lacking"),
    [
        ({}, None, ["secrets"]),
        ({str(REF): SECRET}, TemporaryFailure("no connection"), ["publisher"]),
        ({}, PermanentFailure("no credentials"), ["secrets", "publisher"]),
    ],
)
def test_health_says_what_is_not_ready(
    values: dict[str, str], unready: TemporaryFailure | None, lacking: list[str]
):
    receiver = a_receiver(
        webhook_secrets=secrets(str(REF), values=Values(values)),
        publisher=FakePublisher(unready=unready),
    )

    [response] = answer(receiver, a_request(arriving(), method="GET", path="/health"))

    assert response.status_code == 503
    assert told(response) == {"status": "not ready", "lacking": lacking}
    assert "retry-after" in response.headers


def test_publishing_has_the_time_that_is_left_of_what_dbt_waits():
    clock, publisher = Seconds(), FakePublisher()
    receiver = a_receiver(publisher=publisher, clock=clock)
    body = a_body()

    answer(receiver, a_webhook(body), taking(clock, 4.9, body), taking(clock, 8.0, body))

    assert publisher.timeouts_s == pytest.approx([4.5, 4.1, 1.0])


def test_waiting_for_secrets_leaves_time_to_publish():
    limits_s: list[float] = []
    clock = Seconds()

    class Slow(WebhookSecrets):
        async def active(self, limit_s: float) -> list[Secret]:
            limits_s.append(limit_s)
            clock.now += limit_s
            return [Secret("secret:old", b"old")]

        async def read_anew(self, limit_s: float) -> list[Secret]:
            limits_s.append(limit_s)
            clock.now += limit_s
            return [Secret(str(REF), SECRET.encode())]

    publisher, began = FakePublisher(), clock.now
    slow = Slow([], Values().read, clock)
    receiver = a_receiver(webhook_secrets=slow, publisher=publisher, clock=clock)

    [response] = answer(receiver, taking(clock, 5.0, a_body()))

    assert response.status_code == 202
    assert limits_s == pytest.approx([3.5, 0.0])
    assert clock.now - began + publisher.timeouts_s[0] == pytest.approx(9.0)


def test_what_was_published_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    body = a_body(event_id="wev_7", account_id=1, run_id=100)

    answer(a_receiver(), a_webhook(body))

    [record] = caplog.records
    assert record.getMessage() == "event published"
    assert record.__dict__["fields"] == {
        "event": "wev_7",
        "event_type": "job.run.completed",
        "account": "1",
        "run": "100",
        "content": "event",
        "message_id": "message-1",
        "secret": str(REF),
        "duration_ms": 0.0,
    }


PRIVATE = b'{"runReason": "in-the-body"}'
WRONG = signed(PRIVATE, "another secret")

BAD_INPUTS: dict[str, Callable[[], Request]] = {
    "no signature": lambda: a_request(arriving(PRIVATE)),
    "malformed": lambda: a_webhook(PRIVATE, authorization="in-the-header"),
    "not ASCII": lambda: a_webhook(PRIVATE, authorization="in-the-header é"),
    "repeated": lambda: a_request(arriving(PRIVATE), headers=[("authorization", WRONG)] * 2),
    "wrong": lambda: a_webhook(PRIVATE, authorization=WRONG),
    "too large": lambda: a_webhook(PRIVATE, **{"content-length": "999999999"}),
    "left": lambda: a_request(leaving(PRIVATE), headers=[("authorization", WRONG)]),
    "unreadable": lambda: a_webhook(PRIVATE),
    "method": lambda: a_request(arriving(PRIVATE), method="PUT"),
    "path": lambda: a_request(arriving(PRIVATE), path="/in-the-path"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_no_log_line_and_no_answer_repeats_what_was_sent(
    case: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG", logger="afterrun")

    [response] = answer(a_receiver(), BAD_INPUTS[case]())

    logged = [str(vars(record)) for record in caplog.records]
    shown = f"{response.headers} {bytes(response.body)!r} {logged}"
    for private in (SECRET, WRONG, "in-the-"):
        assert private not in shown


def taking(clock: Seconds, seconds: float, body: bytes) -> Request:
    """An authentic webhook whose body takes this long to arrive."""
    arrive = arriving(body)

    async def receive() -> Received:
        clock.now += seconds
        return await arrive()

    return a_request(receive, headers=[("authorization", signed(body, SECRET))])
