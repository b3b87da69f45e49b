from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.webhooks.concerns import concerns, same_place
from subscriber.dbt_cloud.webhooks import Subscription

GOOD = Subscription(
    id="wsu_1",
    name="Afterrun",
    client_url="https://receiver.example/",
    event_types=("job.run.completed", "job.run.errored"),
    http_status_code=202,
    dispatched_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def codes(*others: Subscription, **changes: Any) -> list[str]:
    return [each.code for each in concerns(replace(GOOD, **changes), others)]


def test_a_good_webhook_is_not_commented() -> None:
    assert codes() == []


def test_one_that_was_not_sent_to_yet_is_good() -> None:
    assert codes(http_status_code=None, dispatched_at=None) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"active": False}, ["inactive"]),
        ({"http_status_code": 401}, ["failing"]),
        ({"http_status_code": None}, ["failing"]),
        ({"event_types": ("job.run.completed",)}, ["no-errored"]),
        ({"event_types": ("job.run.errored",)}, ["no-completed"]),
        ({"event_types": ()}, ["no-errored", "no-completed"]),
        ({"client_url": "http://receiver.example/"}, ["not-https"]),
        ({"job_ids": ("1", "2")}, ["listed-jobs"]),
    ],
)
def test_each_thing_that_is_wrong_is_said(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(**changes) == expected


def test_why_it_was_deactivated_and_how_to_mend_it_is_said() -> None:
    webhook = replace(GOOD, active=False, deactivate_reason="1000 failures")

    (concern,) = concerns(webhook)

    assert "(1000 failures)" in concern.text
    assert concern.fix == "afterrun webhooks update wsu_1 --active"


def test_what_is_mended_about_the_events_keeps_those_that_there_are() -> None:
    (concern,) = concerns(replace(GOOD, event_types=("job.run.started", "job.run.completed")))

    assert concern.fix == "afterrun webhooks update wsu_1 --events started,completed,errored"


@pytest.mark.parametrize("changes", [{}, {"client_url": "https://RECEIVER.example:443"}])
def test_another_active_one_with_the_same_url_is_said(changes: dict[str, Any]) -> None:
    other = replace(GOOD, id="wsu_2", **changes)

    assert codes(GOOD, other) == ["twice"]


@pytest.mark.parametrize(
    "changes",
    [{"active": False}, {"client_url": "https://receiver.example/other"}, {"id": "wsu_1"}],
)
def test_one_that_sends_elsewhere_or_nothing_is_no_twin(changes: dict[str, Any]) -> None:
    assert codes(replace(GOOD, **{"id": "wsu_2", **changes})) == []


def test_a_deactivated_one_has_no_twin() -> None:
    assert codes(replace(GOOD, id="wsu_2"), active=False) == ["inactive"]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://a.example", "https://a.example/", True),
        ("https://a.example/", " https://A.example:443 ", True),
        ("https://a.example/x", "https://a.example/X", False),
        ("https://a.example:8443", "https://a.example", False),
        ("https://a.example?x=1", "https://a.example?x=2", False),
        ("http://a.example", "https://a.example", False),
        ("http://[broken", "http://[broken", True),
    ],
)
def test_urls_are_compared_by_where_they_lead(one: str, other: str, *, is_same: bool) -> None:
    assert (same_place(one) == same_place(other)) is is_same


def test_a_rotation_that_has_not_ended_is_not_to_be_mended_by_deleting() -> None:
    successor = replace(GOOD, id="wsu_2", description="ours [in place of wsu_1]")

    for one, other in ((GOOD, successor), (successor, GOOD)):
        (concern,) = concerns(one, [other])
        assert concern.code == "rotating"
        assert concern.fix == "afterrun webhooks rotate wsu_1 --secret REF"
