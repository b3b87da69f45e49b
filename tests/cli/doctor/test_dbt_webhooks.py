"""dbt Cloud's webhooks: whether one of them tells us of runs."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cli.doctor import dbt_webhooks
from cli.doctor.finding import About, Finding, Group, State
from subscriber.dbt_cloud.webhooks import Subscription
from tests.builders import NOW

URL = "https://afterrun-receiver-1.europe-west1.run.app"
OURS = Subscription(
    id="wsu_1",
    name="afterrun",
    client_url=f"{URL}/",
    event_types=("job.run.completed", "job.run.errored"),
    http_status_code=202,
    dispatched_at=NOW - timedelta(hours=3),
)


def judged(*found: Subscription, receiver: str = URL) -> list[Finding]:
    return list(dbt_webhooks.judged(About(Group.DBT_CLOUD, "webhooks"), found, receiver, NOW))


def test_one_that_delivers_both_events_to_us_is_well() -> None:
    (found,) = judged(OURS)

    assert (found.state, found.said) == (
        State.OK,
        "afterrun (wsu_1) is active; its last delivery was answered 202 (3 h ago)",
    )


def test_one_that_has_sent_nothing_yet_is_well() -> None:
    (found,) = judged(replace(OURS, http_status_code=None, dispatched_at=None))

    assert (found.state, "nothing yet" in found.said) == (State.OK, True)


@pytest.mark.parametrize(
    ("changed", "state", "said", "mend"),
    [
        (
            {"active": False, "deactivate_reason": "5 failures"},
            *(
                State.FAILS,
                "it is deactivated (5 failures)",
                "afterrun webhooks update wsu_1 --active",
            ),
        ),
        (
            {"http_status_code": 401},
            *(State.FAILS, "wrong signature", "afterrun webhooks test wsu_1"),
        ),
        ({"http_status_code": 503}, State.FAILS, "answered 503", "afterrun webhooks test wsu_1"),
        ({"http_status_code": None}, State.FAILS, "no answer", "afterrun webhooks test wsu_1"),
        (
            {"event_types": ("job.run.errored",)},
            *(State.FAILS, "without job.run.completed", "--events completed,errored"),
        ),
        (
            {"event_types": ("job.run.completed",)},
            *(State.WARN, "without job.run.errored", "--events completed,errored"),
        ),
        ({"job_ids": ("1", "2")}, State.WARN, "it lists its jobs (2)", "--all-jobs"),
    ],
)
def test_what_is_not_as_it_should_be_is_said_with_its_fix(
    changed: dict[str, Any], state: State, said: str, mend: str
) -> None:
    found = judged(replace(OURS, **changed))[0]

    assert (found.state, said in found.said, mend in found.mend) == (state, True, True)


def test_two_that_lead_here_send_each_event_twice() -> None:
    found = judged(OURS, replace(OURS, id="wsu_2"))[-1]

    assert (found.state, found.said) == (
        State.WARN,
        "2 active ones lead here: each event comes 2 times",
    )


def test_a_rotation_that_has_not_ended_is_to_be_ended() -> None:
    second = replace(OURS, id="wsu_2", description="[in place of wsu_1]")

    found = judged(OURS, second)[-1]

    assert (found.state, found.mend) == (State.WARN, "afterrun webhooks rotate wsu_1 --secret REF")


def test_those_of_others_are_none_of_ours() -> None:
    (found,) = judged(replace(OURS, client_url="https://hooks.zapier.com/x", active=False))

    assert (found.state, found.mend) == (
        State.FAILS,
        f"afterrun webhooks create --url {URL} --secret REF",
    )


def test_without_a_receivers_url_its_usual_name_tells() -> None:
    other = replace(OURS, id="wsu_2", client_url="https://hooks.zapier.com/x", active=False)

    assert [each.state for each in judged(OURS, other, receiver="")] == [State.OK]
    assert [each.state for each in judged(other, receiver="")] == [State.SKIPPED]


def test_an_account_without_webhooks_tells_us_nothing() -> None:
    assert [each.state for each in judged(receiver="")] == [State.FAILS]


def test_an_id_that_is_none_runs_nothing_when_it_is_copied() -> None:
    (found,) = judged(replace(OURS, id="x; rm -rf ~", active=False))

    assert found.mend == "afterrun webhooks update 'x; rm -rf ~' --active"
