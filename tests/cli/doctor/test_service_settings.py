"""What runs in the cloud, as Google tells of it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from cli.doctor import service_settings as judging
from cli.doctor.finding import About, Finding, Group, State
from lab.google_apis import service
from subscriber.outbound import Reply
from tests.builders import NOW

ABOUT = About(Group.SERVICE, "it")
WHERE = "--region=europe-west1 --project=p"
RECEIVER, SUBSCRIBER, PUSH = (
    f"afterrun-{name}@p.iam.gserviceaccount.com" for name in ("receiver", "subscriber", "push")
)
ALL, INTERNAL = "INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY"
TOPIC = "projects/p/topics/dbt-cloud-ticks"
TICK = {
    "state": "ENABLED",
    "schedule": "* * * * *",
    "pubsubTarget": {"topicName": TOPIC, "attributes": {"content": "tick"}},
}


def invoking(*members: str) -> Mapping[str, frozenset[str]]:
    return {"roles/run.invoker": frozenset(members)}


def told(name: str, account: str, ingress: str, **environment: str) -> dict[str, Any]:
    return service("at", name, "1", "europe-west1", account, ingress, environment)


def of_receiver(policy: judging.Policy, **changed: Any) -> list[Finding]:
    it = told("receiver", RECEIVER, ALL) | changed
    return list(judging.receiver(ABOUT, it, policy, where=WHERE, account=RECEIVER))


def of_subscriber(policy: judging.Policy, ledger: str = "", **changed: Any) -> list[Finding]:
    it = told("subscriber", SUBSCRIBER, INTERNAL, LEDGER="firestore:p/afterrun") | changed
    return list(
        judging.subscriber(
            ABOUT, it, policy, where=WHERE, account=SUBSCRIBER, push=PUSH, ledger=ledger
        )
    )


def of_tick(**changed: Any) -> Finding:
    return judging.tick(ABOUT, TICK | changed, TOPIC, WHERE, NOW)


def test_a_receiver_that_anybody_may_call_is_well() -> None:
    (found,) = of_receiver(invoking("allUsers"))

    assert (found.state, found.said) == (
        State.OK,
        "runs at https://afterrun-receiver-1.europe-west1.run.app",
    )


def test_a_receiver_without_a_check_of_its_callers_is_well() -> None:
    assert [each.state for each in of_receiver({}, invokerIamDisabled=True)] == [State.OK]


def test_a_receiver_that_dbt_cloud_may_not_call_fails() -> None:
    (found,) = of_receiver({})

    assert (found.state, found.mend) == (
        State.FAILS,
        (
            "gcloud run services add-iam-policy-binding afterrun-receiver "
            f"{WHERE} --member=allUsers --role=roles/run.invoker"
        ),
    )


def test_a_receiver_that_takes_no_traffic_from_outside_fails() -> None:
    (found,) = of_receiver(invoking("allUsers"), ingress=INTERNAL)

    assert found.state is State.FAILS
    assert "--ingress=all" in found.mend


def test_who_may_call_it_may_be_hidden() -> None:
    assert "is not shown to you" in of_receiver(None)[0].said
    assert "is not shown to you" in of_subscriber(None)[0].said


def test_a_subscriber_that_only_the_push_account_may_call_is_well() -> None:
    (found,) = of_subscriber(invoking(f"serviceAccount:{PUSH}"), "firestore:p/afterrun")

    assert found.state is State.OK


@pytest.mark.parametrize(
    ("policy", "changed"),
    [
        (invoking("allUsers", f"serviceAccount:{PUSH}"), {}),
        (invoking(f"serviceAccount:{PUSH}"), {"invokerIamDisabled": True}),
    ],
)
def test_a_subscriber_that_anybody_may_call_fails(
    policy: judging.Policy, changed: dict[str, Any]
) -> None:
    (found,) = of_subscriber(policy, **changed)

    assert (found.state, found.said) == (
        State.FAILS,
        "anybody may call it, and so tell it of runs",
    )


def test_a_subscriber_that_pubsub_may_not_call_fails() -> None:
    (found,) = of_subscriber({})

    assert found.state is State.FAILS
    assert f"--member=serviceAccount:{PUSH}" in found.mend


def test_another_ledger_than_the_services_is_to_be_looked_at() -> None:
    (found,) = of_subscriber(invoking(f"serviceAccount:{PUSH}"), "sqlite:./afterrun.db")

    assert (found.state, found.mend) == (
        State.WARN,
        "afterrun doctor --ledger firestore:p/afterrun",
    )


def test_a_revision_that_is_not_ready_is_said_with_googles_reason() -> None:
    failed = {"state": "CONDITION_FAILED", "message": "the image is not there"}

    (found,) = of_receiver(invoking("allUsers"), terminalCondition=failed)

    assert found.said == "its newest revision is not ready: the image is not there"


def test_another_account_than_its_own_is_to_be_looked_at() -> None:
    (found,) = of_receiver(invoking("allUsers"), template={"serviceAccount": "x@y"})

    assert (found.state, "it runs as x@y" in found.said) == (State.WARN, True)


@pytest.mark.parametrize(
    ("changed", "state", "mend"),
    [
        ({}, State.OK, ""),
        ({"lastAttemptTime": (NOW - timedelta(minutes=4)).isoformat()}, State.OK, ""),
        ({"lastAttemptTime": (NOW - timedelta(minutes=6)).isoformat()}, State.FAILS, "jobs run"),
        ({"state": "PAUSED"}, State.FAILS, "jobs resume"),
        ({"schedule": "*/5 * * * *"}, State.WARN, "--schedule"),
        ({"pubsubTarget": {"topicName": "projects/p/topics/x"}}, State.FAILS, "--topic"),
        ({"pubsubTarget": {"topicName": TOPIC}}, State.FAILS, "content=tick"),
        ({"status": {"code": 5}}, State.FAILS, "jobs describe"),
        ({"status": {}}, State.OK, ""),
    ],
)
def test_the_scheduler_ticks_each_minute(changed: dict[str, Any], state: State, mend: str) -> None:
    found = of_tick(**changed)

    assert (found.state, mend in found.mend) == (state, True)


@pytest.mark.parametrize(
    ("reply", "state", "said"),
    [
        (Reply(200, {"status": "ready"}), State.OK, "is ready"),
        (
            Reply(503, {"status": "not ready", "lacking": ["secrets"]}),
            *(State.FAILS, "it lacks: secrets"),
        ),
        (Reply(403), State.FAILS, "dbt Cloud may not call it"),
        (Reply(404), State.FAILS, "no receiver of Afterrun"),
        (Reply(200, {"status": "fine"}), State.FAILS, "no receiver of Afterrun"),
    ],
)
def test_a_receiver_says_whether_it_is_ready(reply: Reply, state: State, said: str) -> None:
    found = judging.health(ABOUT, "https://r.run.app", reply)

    assert (found.state, said in found.said) == (state, True)
