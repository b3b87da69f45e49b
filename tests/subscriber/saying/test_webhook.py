"""The event that a webhook tells of an action."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from subscriber.actions import Verb
from subscriber.saying.webhook import cloud_event, event, event_type
from tests.builders import a_node, a_told, an_action

PAGE = Path(__file__).parents[3] / "docs" / "destinations" / "webhook.md"


def told(verb: Verb = Verb.OPEN, **message: Any) -> dict[str, Any]:
    action = an_action(verb, message=a_told(**message))
    return event(action, action.message)


@pytest.mark.parametrize(
    ("verb", "message", "name"),
    [
        (Verb.OPEN, {"outcome": "failed"}, "dbt.run.failed"),
        (Verb.OPEN, {"outcome": "warned", "level": "warning"}, "dbt.run.warned"),
        (Verb.OPEN, {}, "dbt.run.failed"),
        (Verb.OPEN, {"level": "warning"}, "dbt.run.warned"),
        (Verb.UPDATE, {"outcome": "failed"}, "dbt.run.updated"),
        (Verb.REMIND, {"outcome": "failed"}, "dbt.run.reminded"),
        (Verb.CLOSE, {"outcome": "recovered"}, "dbt.run.recovered"),
        (Verb.CLOSE, {}, "dbt.run.recovered"),
        (Verb.CLOSE, {"outcome": "failed"}, "dbt.run.closed"),
        (Verb.TELL, {"outcome": "started", "level": ""}, "dbt.run.started"),
        (Verb.TELL, {"outcome": "succeeded", "level": ""}, "dbt.run.succeeded"),
        (Verb.TELL, {"outcome": "cancelled", "level": ""}, "dbt.run.cancelled"),
        (Verb.TELL, {"outcome": "recovered"}, "dbt.run.recovered"),
        (Verb.TELL, {"outcome": "digest", "level": ""}, "afterrun.digest"),
        (Verb.TELL, {"outcome": "", "level": ""}, "afterrun.digest"),
        (Verb.OPEN, {"outcome": "failed", "facts": {"refresh": "bi"}}, "afterrun.refresh.failed"),
        (
            Verb.CLOSE,
            {"outcome": "recovered", "facts": {"refresh": "bi"}},
            "afterrun.refresh.recovered",
        ),
    ],
)
def test_an_event_has_the_type_of_what_happened(
    verb: Verb, message: dict[str, Any], name: str
) -> None:
    action = an_action(verb, message=a_told(**message))

    assert event_type(action) == name
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


def test_a_shorter_form_of_an_event_is_still_the_same_event() -> None:
    action = an_action(message=a_told(facts={"refresh": "bi", "account_id": "1", "job_id": "7"}))
    whole, shorter = (
        cloud_event(action, message, "an-id")
        for message in (action.message, a_told(facts={}, outcome=""))
    )

    for name in ("id", "source", "type", "subject"):
        assert whole[name] == shorter[name]


def test_an_event_says_when_it_happened_in_utc() -> None:
    at = datetime(2026, 1, 5, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    action = an_action(occurred_at=at)

    assert event(action, action.message)["timestamp"] == "2026-01-05T12:00:00Z"


def test_an_event_holds_what_is_known_of_each_node() -> None:
    node = a_node(path="models/orders.sql", tags=("daily",), skipped=("revenue",))

    data = told(nodes=(node,), more_nodes=2, skipped=1, facts={"job": "Daily build"})["data"]

    assert data["facts"] == {"job": "Daily build"}
    assert (data["more_nodes"], data["skipped"]) == (2, 1)
    assert data["nodes"] == [
        {
            "unique_id": "model.shop.orders",
            "name": "orders",
            "kind": "model",
            "status": "error",
            "message": "Database Error in model orders (models/orders.sql)\n  no such column",
            "path": "models/orders.sql",
            "group": "",
            "owner": "",
            "tags": ["daily"],
            "skipped": ["revenue"],
            "severity": "",
        }
    ]


def test_the_events_of_one_episode_name_it() -> None:
    opened, closed = told(Verb.OPEN), told(Verb.CLOSE)

    assert opened["data"]["episode"] == closed["data"]["episode"] == "afterrun/1/job/7/100"


def test_an_event_says_what_changed() -> None:
    data = told(Verb.UPDATE, new=("a",), still=("b",), fixed=("c",), causes=("x: 2 of 3",))["data"]

    assert (data["new"], data["still"], data["fixed"]) == (["a"], ["b"], ["c"])
    assert (data["by_cause"], data["by_owner"]) == (["x: 2 of 3"], [])


def test_every_key_is_there_even_if_there_is_nothing_to_say() -> None:
    assert told().keys() == told(nodes=(), facts={}, link="").keys()
    assert told()["data"].keys() == told(nodes=(), facts={}, link="")["data"].keys()


def test_what_programs_choke_on_is_left_out() -> None:
    data = told(headline="a\x00b\x1b[31mc\ud800", facts={"job\x00": "x\x07"}, link="javascript:x")[
        "data"
    ]

    assert data["headline"] == "abc"
    assert data["facts"] == {"job": "x"}
    assert data["link"] == ""


def test_a_cloud_event_tells_the_same_data() -> None:
    facts = {"account_id": "1", "job_id": "7", "run_id": "100"}
    action = an_action(message=a_told(facts=facts))

    made = cloud_event(action, action.message, "an-id")

    assert made == {
        "specversion": "1.0",
        "id": "an-id",
        "source": "/afterrun/accounts/1",
        "type": "dbt.run.failed",
        "time": "2026-01-05T12:00:00Z",
        "subject": "jobs/7/runs/100",
        "datacontenttype": "application/json",
        "data": event(action, action.message)["data"],
    }


def test_a_cloud_event_leaves_out_what_is_not_known() -> None:
    action = an_action(message=a_told(facts={}))

    made = cloud_event(action, action.message, "an-id")

    assert made["source"] == "/afterrun"
    assert "subject" not in made


def test_the_source_of_a_cloud_event_is_a_uri_whatever_the_account_says() -> None:
    action = an_action(message=a_told(facts={"account_id": "a/ä ?" + "x" * 9_999}))

    source = cloud_event(action, action.message, "an-id")["source"]

    assert source.startswith("/afterrun/accounts/a%2F%C3%A4%20%3Fx")
    assert len(source) < 1_000
