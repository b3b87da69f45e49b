import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from lab.faults import Fault
from lab.pagerduty import PagerDuty
from lab.serve import serve
from lab.timeline import Timeline
from tests.builders import Clock

KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
RULESET_KEY = "R0123456789abcdef0123456789abcde"


class Service:
    """A PagerDuty that serves, and how to tell it something."""

    def __init__(self, url: str, pagerduty: PagerDuty, timeline: Timeline) -> None:
        self.url = url
        self.pagerduty = pagerduty
        self.timeline = timeline

    def post(self, event: Any, path: str = "/v2/enqueue") -> requests.Response:
        return requests.post(f"{self.url}{path}", json=event, timeout=5)

    def change(self, through: str = KEY, **payload: Any) -> requests.Response:
        event = {"routing_key": through, "payload": {"summary": "built"} | payload}
        return self.post(event, "/v2/change/enqueue")

    def trigger(
        self, key: str | None = "orders", summary: str = "failed", through: str = KEY
    ) -> requests.Response:
        payload = {"summary": summary, "source": "Production", "severity": "error"}
        event: dict[str, Any] = {"routing_key": through, "event_action": "trigger"}
        return self.post(event | {"payload": payload} | ({"dedup_key": key} if key else {}))

    def tell(self, action: str, key: str = "orders", through: str = KEY) -> requests.Response:
        return self.post({"routing_key": through, "event_action": action, "dedup_key": key})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> Iterator[Service]:
    timeline = Timeline()
    pagerduty = PagerDuty(KEY, OTHER_KEY, RULESET_KEY, timeline=timeline, clock=clock)
    with serve(pagerduty.app) as url:
        yield Service(url, pagerduty, timeline)


def test_a_trigger_opens_an_alert_and_is_answered_with_its_key(service: Service) -> None:
    answer = service.trigger("orders", "orders failed")

    assert answer.status_code == 202
    assert answer.json() == {
        "status": "success",
        "message": "Event processed",
        "dedup_key": "orders",
    }
    (alert,) = service.pagerduty.open_alerts
    assert (alert.routing_key, alert.dedup_key, alert.summary) == (KEY, "orders", "orders failed")


def test_a_trigger_without_a_key_is_given_one(service: Service) -> None:
    keys = [service.trigger(key=None).json()["dedup_key"] for _ in range(2)]

    assert [alert.dedup_key for alert in service.pagerduty.open_alerts] == keys
    assert all(uuid.UUID(key) for key in keys)
    assert keys[0] != keys[1]


def test_a_second_trigger_joins_the_open_alert(service: Service) -> None:
    service.trigger(summary="orders failed")
    service.trigger(summary="orders and customers failed")

    (alert,) = service.pagerduty.alerts
    assert [event["payload"]["summary"] for event in alert.events] == [
        "orders failed",
        "orders and customers failed",
    ]
    assert alert.summary == "orders and customers failed"


def test_a_trigger_with_another_key_opens_another_alert(service: Service) -> None:
    service.trigger("orders")
    service.trigger("customers")

    assert [alert.dedup_key for alert in service.pagerduty.open_alerts] == ["orders", "customers"]


def test_the_same_key_through_another_integration_is_another_alert(service: Service) -> None:
    service.trigger(through=KEY)
    service.trigger(through=OTHER_KEY)

    assert len(service.pagerduty.open_alerts) == 2


def test_a_resolve_closes_the_alert(service: Service) -> None:
    service.trigger()

    answer = service.tell("resolve")

    assert (answer.status_code, answer.json()["dedup_key"]) == (202, "orders")
    assert service.pagerduty.open_alerts == []
    assert [event["event_action"] for event in service.pagerduty.alerts[0].events] == [
        "trigger",
        "resolve",
    ]


def test_an_acknowledged_alert_stays_open(service: Service) -> None:
    service.trigger()

    service.tell("acknowledge")

    assert len(service.pagerduty.open_alerts) == 1


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_what_is_said_of_an_alert_that_never_was_is_dropped_in_silence(
    service: Service, action: str
) -> None:
    answer = service.tell(action)

    assert answer.status_code == 202
    assert service.pagerduty.alerts == []


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_what_is_said_of_a_closed_alert_is_dropped_in_silence(
    service: Service, action: str
) -> None:
    service.trigger()
    service.tell("resolve")

    answer = service.tell(action)

    assert answer.status_code == 202
    assert len(service.pagerduty.alerts[0].events) == 2


def test_a_resolve_through_another_integration_closes_nothing(service: Service) -> None:
    service.trigger(through=KEY)

    service.tell("resolve", through=OTHER_KEY)

    assert len(service.pagerduty.open_alerts) == 1


def test_a_trigger_after_the_resolve_opens_a_new_alert(service: Service) -> None:
    service.trigger()
    service.tell("resolve")
    service.trigger()

    assert [alert.is_open for alert in service.pagerduty.alerts] == [False, True]


def test_a_refused_event_changes_nothing_and_says_why(service: Service) -> None:
    answer = service.trigger(through="x" * 32)

    assert answer.status_code == 400
    assert answer.json() == {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["Invalid routing key"],
    }
    assert service.pagerduty.alerts == []


def test_an_integration_can_be_removed(service: Service) -> None:
    service.pagerduty.routing_keys.remove(KEY)

    assert service.trigger(through=KEY).json()["errors"] == ["Invalid routing key"]


def test_what_is_not_json_is_refused(service: Service) -> None:
    answer = requests.post(f"{service.url}/v2/enqueue", data={"routing_key": KEY}, timeout=5)

    assert answer.status_code == 400
    assert answer.json() == {
        "status": "Unrecognized object",
        "message": "Event object format is unrecognized",
        "errors": ["JSON parse error"],
    }


@pytest.mark.parametrize(("size", "status"), [(512_000, 202), (512_001, 400)])
def test_an_event_may_have_512_kilobytes(service: Service, size: int, status: int) -> None:
    body = b'{"routing_key": "%s", "event_action": "resolve", "dedup_key": "k"' % KEY.encode()
    body = body.ljust(size - 1) + b"}"

    answer = requests.post(
        f"{service.url}/v2/enqueue",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=5,
    )

    assert answer.status_code == status


def test_only_post_is_answered(service: Service) -> None:
    assert requests.get(f"{service.url}/v2/enqueue", timeout=5).status_code == 405


def test_there_is_nothing_else(service: Service) -> None:
    assert requests.post(f"{service.url}/v2/changes", json={}, timeout=5).status_code == 404


def test_a_change_is_kept_and_opens_no_alert(service: Service) -> None:
    answer = service.change(summary="Daily build succeeded", source="Shop")

    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed"}
    (change,) = service.pagerduty.changes
    assert (change.routing_key, change.summary) == (KEY, "Daily build succeeded")
    assert service.pagerduty.alerts == []
    assert [moment.what for moment in service.timeline.moments] == [
        "change shown: Daily build succeeded"
    ]


def test_the_same_change_twice_is_two_changes(service: Service) -> None:
    service.change()
    service.change()

    assert len(service.pagerduty.changes) == 2


def test_the_key_of_a_ruleset_takes_alerts_and_no_changes(service: Service) -> None:
    assert service.trigger(through=RULESET_KEY).status_code == 202

    answer = service.change(through=RULESET_KEY)

    assert (answer.status_code, answer.json()["errors"]) == (400, ["Invalid routing key"])
    assert service.pagerduty.changes == []


def test_a_refused_change_says_why(service: Service) -> None:
    answer = service.change(summary="x" * 1_025)

    assert answer.status_code == 400
    assert answer.json()["errors"] == ["'summary' is too long (maiximum is 1024 characters)"]
    assert service.pagerduty.changes == []


def test_a_key_takes_120_events_a_minute_alerts_and_changes_together(service: Service) -> None:
    answers = [service.change().status_code for _ in range(60)]
    answers += [service.trigger().status_code for _ in range(60)]
    alert, change = service.trigger("another"), service.change()

    assert set(answers) == {202}
    assert [(each.status_code, each.content) for each in (alert, change)] == [(429, b"")] * 2
    assert "Retry-After" not in alert.headers
    assert len(service.pagerduty.alerts) == 1
    assert len(service.pagerduty.changes) == 60
    assert service.pagerduty.requests[-1].status == 429
    assert service.timeline.moments[-1].what == "event not taken: more than 120 in a minute"


def test_another_key_has_a_minute_of_its_own(service: Service) -> None:
    for _ in range(120):
        service.tell("resolve")

    assert service.trigger(through=OTHER_KEY).status_code == 202


def test_the_minute_slides(service: Service, clock: Clock) -> None:
    for _ in range(119):
        service.tell("resolve")
    clock.passes(30)
    service.tell("resolve")

    clock.passes(29)
    before = service.tell("resolve").status_code
    clock.passes(1)
    after = [service.tell("resolve").status_code for _ in range(120)]

    assert before == 429
    assert after == [202] * 119 + [429]


def test_all_requests_are_kept_with_their_answers(service: Service) -> None:
    answers = [service.trigger(), service.post([])]

    kept = service.pagerduty.requests

    assert [(request.status, request.answer) for request in kept] == [
        (answer.status_code, answer.json()) for answer in answers
    ]
    assert kept[1].body == b"[]"


@pytest.mark.parametrize("status", [429, 500])
def test_it_can_be_busy(service: Service, status: int) -> None:
    service.pagerduty.faults.next(Fault("answer", status=status))

    assert [service.trigger().status_code for _ in range(2)] == [status, 202]
    assert len(service.pagerduty.requests) == 1


def test_a_repeat_after_a_lost_answer_joins_the_alert(service: Service) -> None:
    service.pagerduty.faults.next(Fault("lost"))
    with pytest.raises(requests.ConnectionError):
        service.trigger()

    service.trigger()

    assert len(service.pagerduty.alerts) == 1


def test_the_timeline_tells_what_it_did(service: Service) -> None:
    service.trigger(summary="orders failed")
    service.tell("resolve")
    service.tell("resolve")
    service.trigger(through="x" * 32)

    assert [moment.what for moment in service.timeline.moments] == [
        "alert opened: orders failed",
        "alert resolved: orders failed",
        "event dropped: no such alert is open to resolve",
        "event refused: Invalid routing key",
    ]
    assert service.timeline.moments[0].facts == {"action": "trigger", "dedup_key": "orders"}
    assert {moment.side for moment in service.timeline.moments} == {"PagerDuty"}
