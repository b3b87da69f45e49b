"""One step at a time: what is waited for, what is not, and what is said."""

from collections.abc import Iterable

import pytest

from deploy import ends
from deploy.gcloud import Answer
from deploy.names import Deployment
from deploy.runner import PATIENCE, Outcome, Runner
from deploy.step import Command, Look, Step
from shared.errors import PermanentFailure, TemporaryFailure

MAKE = ("gcloud", "make")
LOOK = ("gcloud", "look")
NOT_THERE = Answer(1, "", "ERROR: NOT_FOUND: no such thing")
EARLY = Answer(1, "", "ERROR: Service account afterrun-push@p.iam does not exist.")


class Answering:
    """Answers each command with what is next for it; the last again and again."""

    def __init__(self, **answers: Iterable[Answer]) -> None:
        self.answers = {name: list(given) for name, given in answers.items()}
        self.ran: list[Command] = []

    def __call__(self, command: Command, typed: str | None = None) -> Answer:
        self.ran.append(command)
        left = self.answers[command[1]]
        return left.pop(0) if len(left) > 1 else left[0]


def a_runner(it: Deployment, answering: Answering, waited: list[float] | None = None) -> Runner:
    waits = waited if waited is not None else []
    return Runner(it, answering, lambda _: "", lambda _: True, waits.append, lambda _: None)


def a_step(**fields: object) -> Step:
    return Step("a thing", "topics", (MAKE,), Look(LOOK), **fields)  # type: ignore[arg-type]


def test_what_is_new_at_google_is_waited_for(deployment: Deployment) -> None:
    waited: list[float] = []
    answering = Answering(look=[NOT_THERE], make=[EARLY, EARLY, Answer(0)])

    outcome = a_runner(deployment, answering, waited).make(a_step())

    assert outcome is Outcome.DONE
    assert len(waited) == 2


def test_it_is_not_waited_for_for_ever(deployment: Deployment) -> None:
    waited: list[float] = []

    with pytest.raises(PermanentFailure, match="does not exist"):
        a_runner(deployment, Answering(look=[NOT_THERE], make=[EARLY]), waited).make(a_step())

    assert len(waited) == PATIENCE - 1


def test_what_somebody_else_has_made_meanwhile_is_there(deployment: Deployment) -> None:
    exists = Answer(1, "", "ERROR: ALREADY_EXISTS: Resource already exists")

    assert (
        a_runner(deployment, Answering(look=[NOT_THERE], make=[exists])).make(a_step())
        is Outcome.THERE
    )


def test_what_cannot_be_seen_is_not_made_blindly(deployment: Deployment) -> None:
    refused = Answer(1, "", "ERROR: PERMISSION_DENIED: not allowed (or it may not exist)")
    answering = Answering(look=[refused], make=[Answer(0)])

    with pytest.raises(PermanentFailure) as failure:
        a_runner(deployment, answering).make(a_step())

    assert answering.ran == [LOOK]
    assert str(failure.value).startswith("a thing: it cannot be seen whether it is there.\n")
    assert "This account lacks a role" in str(failure.value)


def test_a_google_that_is_busy_is_a_reason_to_try_later(deployment: Deployment) -> None:
    busy = Answer(1, "", "ERROR: UNAVAILABLE: The service is currently unavailable")

    with pytest.raises(TemporaryFailure):
        a_runner(deployment, Answering(look=[NOT_THERE], make=[busy])).make(a_step())


def test_what_is_no_json_is_said_and_not_guessed_at(deployment: Deployment) -> None:
    with pytest.raises(PermanentFailure, match="is no JSON"):
        a_runner(deployment, Answering(look=[Answer(0, "hello")])).make(a_step())


def test_things_are_looked_at_once_until_something_is_made(deployment: Deployment) -> None:
    answering = Answering(look=[Answer(0, "{}")], make=[Answer(0)])
    runner = a_runner(deployment, answering)
    step = a_step()

    runner.make(step)
    looked_again = Step("another", "topics", (MAKE,), Look(LOOK, lambda _: {"name": "x"}))
    runner.make(looked_again)

    assert answering.ran == [LOOK, MAKE, LOOK]


def test_only_what_was_made_here_is_taken_away(deployment: Deployment) -> None:
    theirs = Answering(look=[Answer(0, '{"labels": {"app": "theirs"}}')])
    step = a_step(undo=(("gcloud", "undo"),), made_here={"labels": {"app": "afterrun"}})

    assert a_runner(deployment, theirs).undo(step, with_data=True) is Outcome.KEPT
    assert theirs.ran == [LOOK]


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("ERROR: (gcloud) You do not currently have an active account selected", "auth login"),
        ("ERROR: FAILED_PRECONDITION: Billing account for project is not found", "billing"),
        ("ERROR: billing must be enabled", "billing"),
        ("One or more users named in the policy do not belong to a permitted customer", "public"),
        ("ERROR: PERMISSION_DENIED: no", "lacks a role"),
        ("Constraint constraints/gcp.resourceLocations violated", "organisation"),
        ("ERROR: RESOURCE_EXHAUSTED: Quota exceeded", "quota"),
        ("ERROR: something that nobody has seen before", ""),
    ],
)
def test_what_mends_a_failure_is_said_where_it_is_known(said: str, mend: str) -> None:
    assert mend in ends.mend(said)
    assert bool(mend) is bool(ends.mend(said))


@pytest.mark.parametrize(
    ("said", "is_not_there"),
    [
        ("ERROR: NOT_FOUND: Resource not found (resource=dbt-cloud-events).", True),
        ("ERROR: (gcloud.run.services.describe) Cannot find service [afterrun-receiver]", True),
        ("ERROR: (gcloud.storage.buckets.describe) gs://b not found: 404.", True),
        ("ERROR: NOT_FOUND: Secret [projects/1/secrets/s] not found or has no versions.", True),
        ("ERROR: PERMISSION_DENIED: Permission denied, or the resource is not found", False),
        ("ERROR: HTTPError 403: caller does not have access. It may be not found", False),
        ("ERROR: FAILED_PRECONDITION: Billing account for project is not found", False),
        ("ERROR: SERVICE_DISABLED: the API has not been used in project 1 or was not found", False),
        ("ERROR: UNAVAILABLE", False),
    ],
)
def test_not_there_is_told_from_not_to_be_seen(said: str, *, is_not_there: bool) -> None:
    assert ends.is_not_there(said) is is_not_there


def test_of_a_long_failure_the_end_is_shown() -> None:
    shown = ends.gist("\n\n".join(f"line {number}" for number in range(100)))

    assert shown.splitlines()[-1] == "  line 99"
    assert len(shown.splitlines()) == 12
