"""Pub/Sub: the topics and subscriptions of a deployment, and who may do what with them.

Source: https://cloud.google.com/pubsub/docs/access-control
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from cli.deployed import PUBSUB_AGENT, TICKS, member
from cli.doctor import pubsub_settings as judging
from cli.doctor.finding import About, Finding, Group
from cli.doctor.google import MayNot, NotFound
from cli.doctor.patient import Patient
from cli.doctor.pubsub_settings import Subscription
from cli.doctor.running import Check
from shared.errors import PermanentFailure, TemporaryFailure
from shared.settings import subscription_path, topic_path
from subscriber.settings import Places

CALL_S = 10.0
PUBLISHER, SUBSCRIBER = "roles/pubsub.publisher", "roles/pubsub.subscriber"
_VIEWER = (
    "gcloud projects add-iam-policy-binding {} --condition=None --member=user:YOUR-ADDRESS "
    "--role=roles/pubsub.viewer"
)


def checks(patient: Patient) -> list[Check]:
    """None where it takes Google credentials to ask, and there are none."""
    places = patient.places
    if places is None or not (places.is_emulated or patient.google is not None):
        return []
    looking = Looking(patient, places, Names.of(patient, places))
    acts: dict[str, Callable[[], Iterator[Finding]]] = {
        "topic of events": looking.events,
        "topic of ticks": looking.ticks,
        "topic of dead letters": looking.dead_letters,
        "events, delivered": looking.events_delivered,
        "ticks, delivered": looking.ticks_delivered,
        "dead letters, kept": looking.dead_letters_kept,
    }
    return [Check(Group.PUBSUB, name, act) for name, act in acts.items()]


@dataclass(frozen=True)
class Names:
    """Full names. Those who push have the short names of their topics, as README.md makes them."""

    events: str
    ticks: str
    dead_letters: str
    pushing_events: str
    pushing_ticks: str
    keeping_dead_letters: str

    @classmethod
    def of(cls, patient: Patient, places: Places) -> "Names":
        project = places.project
        if patient.google is not None and not project.configured:
            project = type(project)(patient.google.project)
        topic, subscription = (
            partial(topic_path, project=project),
            partial(subscription_path, project=project),
        )
        events = topic(places.event_topic)
        return cls(
            events=events,
            ticks=topic(TICKS),
            dead_letters=topic(places.dead_letter_topic),
            pushing_events=subscription(events.rpartition("/")[2]),
            pushing_ticks=subscription(TICKS),
            keeping_dead_letters=subscription(places.dead_letter_subscription),
        )


@dataclass(frozen=True)
class Looking:
    """Asks about each thing, and about who may use it."""

    patient: Patient
    places: Places
    names: Names

    def events(self) -> Iterator[Finding]:
        accounts = self.patient.accounts
        yield from self._topic("topic of events", self.names.events, [accounts.receiver])

    def ticks(self) -> Iterator[Finding]:
        yield from self._topic("topic of ticks", self.names.ticks, [])

    def dead_letters(self) -> Iterator[Finding]:
        accounts = self.patient.accounts
        who = [accounts.subscriber, accounts.pubsub_agent]
        yield from self._topic("topic of dead letters", self.names.dead_letters, who)

    def events_delivered(self) -> Iterator[Finding]:
        about, name = _about("events, delivered"), self.names.pushing_events
        create = (
            f"--topic={self.names.events} {self._pushed} --message-retention-duration=7d "
            "--min-retry-delay=10s --max-retry-delay=600s "
            f"--dead-letter-topic={self.names.dead_letters} --max-delivery-attempts=100"
        )
        found = yield from self._subscription(about, name, create)
        if found is not None:
            dead_letters = self.names.dead_letters
            yield from judging.of_events(about, found, self.names.events, dead_letters)
            if found.dead_letters:
                yield from self._granted(
                    _about("Pub/Sub's own account"),
                    name,
                    "subscriptions",
                    SUBSCRIBER,
                    [self.patient.accounts.pubsub_agent],
                )

    def ticks_delivered(self) -> Iterator[Finding]:
        about = _about("ticks, delivered")
        create = f"--topic={self.names.ticks} {self._pushed} --message-retention-duration=10m"
        found = yield from self._subscription(about, self.names.pushing_ticks, create)
        if found is not None:
            yield from judging.of_ticks(about, found, self.names.ticks)

    def dead_letters_kept(self) -> Iterator[Finding]:
        about, name = _about("dead letters, kept"), self.names.keeping_dead_letters
        create = (
            f"--topic={self.names.dead_letters} --message-retention-duration=31d "
            "--expiration-period=never --ack-deadline=60"
        )
        found = yield from self._subscription(about, name, create)
        if found is None:
            return
        yield from judging.of_dead_letters(about, found, self.names.dead_letters)
        google = self.patient.google_beside(self.places.is_emulated)
        if google is not None:
            needed = "pubsub.subscriptions.consume"
            if needed not in google.may("pubsub", f"v1/{name}", needed):
                grant = f"gcloud pubsub subscriptions add-iam-policy-binding {name}"
                yield about.warns(
                    "you may not take letters from it, as `afterrun dead-letters` does",
                    f"{grant} --member=user:YOUR-ADDRESS --role={SUBSCRIBER}",
                )

    @property
    def _pushed(self) -> str:
        """What a subscription is made with to be pushed; URL is the subscriber's."""
        return (
            "--push-endpoint=URL/ --push-auth-token-audience=URL --ack-deadline=300 "
            f"--push-auth-service-account={self.patient.accounts.push} --expiration-period=never"
        )

    def _topic(self, what: str, name: str, publishers: list[str]) -> Iterator[Finding]:
        about = _about(what)
        try:
            with _answering(f"the topic {name}"):
                _publisher().get_topic(topic=name, retry=None, timeout=CALL_S)
        except NotFound:
            yield about.fails(f"there is no {short(name)}", f"gcloud pubsub topics create {name}")
            return
        except MayNot:
            mend = _VIEWER.format(self.patient.project)
            yield about.skipped(f"you may not look at {short(name)}", mend)
            return
        yield about.ok(short(name))
        yield from self._granted(about, name, "topics", PUBLISHER, publishers)

    def _subscription(
        self, about: About, name: str, create: str
    ) -> Generator[Finding, None, Subscription | None]:
        try:
            with _answering(f"the subscription {name}"):
                told = _subscriber().get_subscription(subscription=name, retry=None, timeout=CALL_S)
        except NotFound:
            yield about.fails(
                f"there is no {short(name)}", f"gcloud pubsub subscriptions create {name} {create}"
            )
            return None
        except MayNot:
            mend = _VIEWER.format(self.patient.project)
            yield about.skipped(f"you may not look at {short(name)}", mend)
            return None
        return read(told)

    def _granted(
        self, about: About, name: str, what: str, role: str, accounts: list[str]
    ) -> Iterator[Finding]:
        """Whether `accounts` have `role` on it; an emulator knows of no roles."""
        google = self.patient.google_beside(self.places.is_emulated)
        if google is None or not accounts:
            return
        try:
            having = google.policy("pubsub", f"v1/{name}").get(role, frozenset())
        except (MayNot, NotFound) as refused:
            yield about.skipped(f"who may use it is not shown: {refused}")
            return
        for account in accounts:
            if not has(having, account):
                who = "Pub/Sub's own account" if "$(" in account else account.partition("@")[0]
                verb = "publish to" if role == PUBLISHER else "acknowledge for"
                yield about.warns(
                    f"{who} may not {verb} it, unless the project grants it that",
                    f"gcloud pubsub {what} add-iam-policy-binding {name} "
                    f'--member="{member(account)}" --role={role}',
                )


def short(name: str) -> str:
    """A name without its project. Pure."""
    return name.rpartition("/")[2]


def has(members: frozenset[str], account: str) -> bool:
    """Whether `account` is among `members`; Pub/Sub's own by any number. Pure."""
    if "$(" in account:
        return any(each.endswith(PUBSUB_AGENT) for each in members)
    return member(account) in members


def read(told: Any) -> Subscription:
    """A subscription as Google's client has it. Pure."""
    push, retry, dead = told.push_config, told.retry_policy, told.dead_letter_policy
    # an absent policy is the default, 31 days; one without a time is for ever
    expiration = told.expiration_policy
    expires = timedelta(days=31) if "expiration_policy" not in told else expiration.ttl or None
    has_backoff = "retry_policy" in told
    return Subscription(
        name=told.name,
        topic=told.topic,
        endpoint=push.push_endpoint,
        account=push.oidc_token.service_account_email,
        audience=push.oidc_token.audience,
        ack_s=told.ack_deadline_seconds,
        kept=told.message_retention_duration or timedelta(days=7),
        expires=expires,
        backoff=(
            (
                retry.minimum_backoff or timedelta(seconds=10),
                retry.maximum_backoff or timedelta(seconds=600),
            )
            if has_backoff
            else None
        ),
        dead_letters=dead.dead_letter_topic,
        attempts=dead.max_delivery_attempts,
        is_detached=told.detached,
    )


def _about(name: str) -> About:
    return About(Group.PUBSUB, name)


def _publisher() -> Any:
    from google.pubsub_v1 import PublisherClient

    return PublisherClient()


def _subscriber() -> Any:
    from google.pubsub_v1 import SubscriberClient

    return SubscriberClient()


@contextmanager
def _answering(what: str) -> Iterator[None]:
    """What Google's client raises within, as failures of ours."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except exceptions.NotFound:
        raise NotFound(f"{what} is not there") from None
    except (exceptions.PermissionDenied, exceptions.Unauthenticated):
        raise MayNot(f"{what} may not be looked at") from None
    except GoogleAuthError:
        raise PermanentFailure("the Google credentials here do not work") from None
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        raise TemporaryFailure(f"{what}: {type(error).__name__}") from None
