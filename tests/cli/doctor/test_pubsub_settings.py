"""Settings of subscriptions: as README.md makes them all is well, and each other one is said."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cli.doctor import pubsub_settings as judging
from cli.doctor.finding import About, Group, State
from cli.doctor.pubsub_settings import Subscription

ABOUT = About(Group.PUBSUB, "it")
TOPIC = "projects/p/topics/dbt-cloud-events"
LETTERS = "projects/p/topics/dbt-cloud-events-dead-letters"
EVENTS = Subscription(
    name="projects/p/subscriptions/dbt-cloud-events",
    topic=TOPIC,
    endpoint="https://s.run.app/",
    account="afterrun-push@p.iam.gserviceaccount.com",
    audience="https://s.run.app",
    ack_s=300,
    backoff=(timedelta(seconds=10), timedelta(seconds=600)),
    dead_letters=LETTERS,
    attempts=100,
)
TICKS = Subscription(
    name="projects/p/subscriptions/dbt-cloud-ticks",
    topic=TOPIC,
    endpoint="https://s.run.app/",
    account="afterrun-push@p.iam.gserviceaccount.com",
    audience="https://s.run.app",
    ack_s=300,
    kept=timedelta(minutes=10),
)
KEEPING = Subscription(
    name="projects/p/subscriptions/letters", topic=LETTERS, ack_s=60, kept=timedelta(days=31)
)


def of_events(**changed: Any) -> list[tuple[State, str, str]]:
    found = judging.of_events(ABOUT, replace(EVENTS, **changed), TOPIC, LETTERS)
    return [(each.state, each.said, each.mend) for each in found]


def test_as_a_deployment_has_it_all_is_well() -> None:
    assert of_events() == [(State.OK, "pushes to https://s.run.app/ as afterrun-push", "")]
    assert [each.state for each in judging.of_ticks(ABOUT, TICKS, TOPIC)] == [State.OK]
    kept = judging.of_dead_letters(ABOUT, KEEPING, LETTERS)
    assert [each.said for each in kept] == ["keeps letters for 31 d, and never expires"]


@pytest.mark.parametrize(
    ("changed", "state", "said", "mend"),
    [
        ({"topic": "_deleted-topic_"}, State.FAILS, "its topic was deleted", "delete"),
        ({"topic": LETTERS}, State.FAILS, f"it is one of {LETTERS}", "delete"),
        ({"is_detached": True}, State.FAILS, "detached", "delete"),
        (
            {"expires": timedelta(days=31)},
            State.FAILS,
            "idle for 31 d",
            "--expiration-period=never",
        ),
        ({"ack_s": 59}, State.FAILS, "waits 59 s", "--ack-deadline=300"),
        ({"account": ""}, State.FAILS, "carry no token", "--push-auth-service-account"),
        ({"audience": ""}, State.WARN, "endpoint's whole URL", "--push-auth-token-audience"),
        ({"backoff": None}, State.FAILS, "tries again at once", "--max-retry-delay=600s"),
        (
            {"backoff": (timedelta(seconds=1), timedelta(seconds=59))},
            *(State.WARN, "grow to 59 s only", "--max-retry-delay=600s"),
        ),
        (
            {"dead_letters": ""},
            State.FAILS,
            "no dead-letter topic",
            f"--dead-letter-topic={LETTERS}",
        ),
        ({"dead_letters": TOPIC}, State.FAILS, f"not to {LETTERS}", f"={LETTERS}"),
        ({"attempts": 5}, State.WARN, "gives up after 5 tries", "--max-delivery-attempts=100"),
        (
            {"kept": timedelta(hours=1)},
            State.WARN,
            "for 1 h only",
            "--message-retention-duration=7d",
        ),
    ],
)
def test_each_setting_that_loses_events_is_said_with_its_fix(
    changed: dict[str, Any], state: State, said: str, mend: str
) -> None:
    ((found, told, fix),) = of_events(**changed)

    assert (found, said in told, mend in fix) == (state, True, True)
    assert fix.startswith("gcloud pubsub subscriptions ")


@pytest.mark.parametrize("changed", [{"ack_s": 60}, {"attempts": 20}, {"kept": timedelta(days=1)}])
def test_at_the_edge_it_is_well(changed: dict[str, Any]) -> None:
    assert [state for state, _, _ in of_events(**changed)] == [State.OK]


def test_one_that_is_pulled_needs_no_token() -> None:
    pulled = of_events(endpoint="", account="", audience="", ack_s=10)

    assert pulled == [(State.OK, "it is pulled: by `afterrun work`", "")]


def test_ticks_that_are_kept_or_become_dead_letters_are_to_be_looked_at() -> None:
    wrong = replace(TICKS, kept=timedelta(days=7), dead_letters=LETTERS)

    found = list(judging.of_ticks(ABOUT, wrong, TOPIC))

    assert [each.state for each in found] == [State.WARN, State.WARN]


def test_dead_letters_that_are_pushed_or_given_away_are_kept_by_nobody() -> None:
    wrong = replace(KEEPING, endpoint="https://x", dead_letters=TOPIC, kept=timedelta(days=1))

    found = list(judging.of_dead_letters(ABOUT, wrong, LETTERS))

    assert [each.state for each in found] == [State.FAILS, State.FAILS, State.WARN]
