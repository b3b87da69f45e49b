"""Where the subscriber's parts are chosen and joined, each once in a process."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from shared import log, secret_refs
from shared.secret_refs import SecretReader
from shared.settings import environment, is_loopback, subscription_path, topic_path
from subscriber import certificates, settings
from subscriber.configuration import DbtCloudSettings
from subscriber.dbt_cloud import hosts
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.ask import DbtCloud
from subscriber.dbt_cloud.discovery import Discovery
from subscriber.dead_letter_box import DeadLetterBox
from subscriber.dead_letter_subscription import DeadLetterSubscription
from subscriber.dead_letters import PubsubDeadLetters
from subscriber.decisions import Decisions
from subscriber.deliveries import Deliveries
from subscriber.ledger.contract import Ledger
from subscriber.outbound import Outbound
from subscriber.process import Processor
from subscriber.push_auth import Certificates, Off, Platform, PushAuth, Verify
from subscriber.secrets import Secrets
from subscriber.settings import Places, PushSettings, Settings
from subscriber.silences import Silences
from subscriber.spelling import Spelling
from subscriber.topic import Topic
from subscriber.waking import Waking

NOW = partial(datetime.now, UTC)

_building = threading.Lock()


@dataclass(frozen=True)
class Subscriber:
    """What an entry point needs: who may push, and who takes what is pushed."""

    push_auth: PushAuth
    processor: Processor


@cache
def configured() -> Settings:
    """This process's settings; raises Mistake. No client, no network."""
    return settings.read(environment())


def start() -> None:
    """Check all settings and begin to log; raises Mistake. Called once, before anything else."""
    chosen = configured()
    log.start(chosen.log_level)
    for warning in chosen.configuration.warnings:
        log.warning("configuration", reason=str(warning))


def subscriber() -> Subscriber:
    """The parts of this process, joined on first use: after the fork, by one thread."""
    with _building:
        return _subscriber()


@cache
def _subscriber() -> Subscriber:
    chosen = configured()
    return Subscriber(
        _push_auth(chosen.push, is_emulated=chosen.places.is_emulated), processor(chosen)
    )


def dead_letter_box(places: Places, kept: Ledger | None = None) -> DeadLetterBox:
    """For an operator: the dead letters of these places, to list and to replay.

    `kept` is the ledger of these places, if there is one already.
    """
    return DeadLetterBox(
        DeadLetterSubscription(
            lambda: subscription_path(places.dead_letter_subscription, places.project),
            lambda: topic_path(places.dead_letter_topic, places.project),
        ),
        kept or ledger(places),
        Topic(
            "topic of events",
            "PUBSUB_TOPIC",
            lambda: topic_path(places.event_topic, places.project),
        ),
        NOW,
    )


def silences(places: Places, kept: Ledger | None = None) -> Silences:
    """For an operator: the silences of this ledger, to make, list and end."""
    return Silences(kept or ledger(places), NOW)


def secret_reader(places: Places) -> SecretReader:
    """Reads what references name, each time anew."""
    return SecretReader(project=places.project, manager_host=places.secret_manager_host)


def processor(chosen: Settings) -> Processor:
    """Who takes what is delivered, whichever way it comes."""
    clock, places = NOW, chosen.places
    secrets = Secrets(secret_reader(places).resolve)
    kept = ledger(places)
    dead_letters = PubsubDeadLetters(lambda: topic_path(places.dead_letter_topic, places.project))
    return Processor(
        ledger=kept,
        decisions=Decisions(
            configuration=chosen.configuration,
            ledger=kept,
            dbt_cloud=dbt_cloud(chosen.configuration.dbt_cloud, secrets, kept),
            dead_letters=dead_letters,
            clock=clock,
        ),
        waking=Waking(kept, clock),
        deliveries=Deliveries(
            destinations=chosen.configuration.destinations,
            ledger=kept,
            outbound=Outbound(),
            dead_letters=dead_letters,
            secret=secrets.secret,
            secret_anew=secrets.anew,
            clock=clock,
            owners=chosen.configuration.owners,
        ),
        dead_letters=dead_letters,
        clock=clock,
        spelling=Spelling(chosen.configuration, kept, clock),
    )


def dbt_cloud(chosen: DbtCloudSettings, secrets: Secrets, kept: Ledger) -> DbtCloud:
    """Who knows about runs; `kept` is where it remembers when dbt Cloud wants to be left alone."""
    ref = secret_refs.parse(chosen.token.get_secret_value())
    token = partial(secrets.value, ref)
    endpoint = hosts.discovery_endpoint(chosen.metadata_url or hosts.metadata_url(chosen.host))
    return DbtCloud(
        admin=admin(chosen, token),
        discovery=Discovery(endpoint, token, _of_dbt_cloud()),
        ledger=kept,
        accounts=frozenset(str(account) for account in chosen.accounts),
        clock=NOW,
        renew_token=partial(secrets.renew, ref),
    )


def admin(chosen: DbtCloudSettings, token: Callable[[], str]) -> Admin:
    """The Admin API of that dbt Cloud."""
    return Admin(chosen.base_url or hosts.admin_url(chosen.host), token, _of_dbt_cloud())


def _of_dbt_cloud() -> Outbound:
    # shorter than a destination's: an alert waits for the diagnosis, not the other way round
    return Outbound(read_timeout_s=4.0, whole_answer_s=30.0)


def ledger(places: Places, *, must_exist: bool = False) -> Ledger:
    """The ledger of these places; no network before it is first used.

    With `must_exist` a database in which nothing was ever recorded is refused, and not made ours.
    """
    # imported where chosen: Firestore's client takes a quarter of a second
    match places.ledger.kind:
        case "firestore":
            from subscriber.ledger.firestore import FirestoreLedger

            project, _, database = places.ledger.where.partition("/")
            host = places.firestore_host
            return FirestoreLedger(project, database, host, must_exist=must_exist)
        case "sqlite":
            from subscriber.ledger.sqlite import SqliteLedger

            return SqliteLedger(Path(places.ledger.where))
        case "memory":
            from subscriber.ledger.memory import MemoryLedger

            return MemoryLedger()


def _push_auth(chosen: PushSettings, *, is_emulated: bool) -> PushAuth:
    match chosen.mode:
        case "off":
            return Off(is_emulated=is_emulated, is_loopback=is_loopback)
        case "platform":
            return Platform(chosen.audience, chosen.service_account)
        case "verify":
            fetch = partial(certificates.fetch, chosen.certs_url)
            return Verify(chosen.audience, chosen.service_account, Certificates(fetch))
