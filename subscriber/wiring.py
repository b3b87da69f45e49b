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
from subscriber.settings import LedgerSettings, PushSettings, Settings
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
        log.warning("configuration", reason=warning)


def subscriber() -> Subscriber:
    """The parts of this process, joined on first use: after the fork, by one thread."""
    with _building:
        return _subscriber()


@cache
def _subscriber() -> Subscriber:
    chosen = configured()
    return Subscriber(_push_auth(chosen.push, is_emulated=chosen.is_emulated), _processor(chosen))


def dead_letter_box() -> DeadLetterBox:
    """For an operator: the dead letters of this configuration, to list and to replay."""
    chosen = configured()
    return DeadLetterBox(
        DeadLetterSubscription(
            lambda: subscription_path(chosen.dead_letter_subscription, chosen.project),
            lambda: topic_path(chosen.dead_letter_topic, chosen.project),
        ),
        _ledger(chosen.ledger, chosen.firestore_host),
        Topic(
            "topic of events",
            "PUBSUB_TOPIC",
            lambda: topic_path(chosen.event_topic, chosen.project),
        ),
        NOW,
    )


def silences() -> Silences:
    """For an operator: the silences of this ledger, to make, list and end."""
    chosen = configured()
    return Silences(_ledger(chosen.ledger, chosen.firestore_host), NOW)


def _processor(chosen: Settings) -> Processor:
    clock = NOW
    reader = SecretReader(project=chosen.project, manager_host=chosen.secret_manager_host)
    secrets = Secrets(reader.resolve)
    ledger = _ledger(chosen.ledger, chosen.firestore_host)
    dead_letters = PubsubDeadLetters(lambda: topic_path(chosen.dead_letter_topic, chosen.project))
    return Processor(
        ledger=ledger,
        decisions=Decisions(
            configuration=chosen.configuration,
            ledger=ledger,
            dbt_cloud=_dbt_cloud(chosen, secrets, ledger, clock),
            dead_letters=dead_letters,
            clock=clock,
        ),
        waking=Waking(ledger, clock),
        deliveries=Deliveries(
            destinations=chosen.configuration.destinations,
            ledger=ledger,
            outbound=Outbound(),
            dead_letters=dead_letters,
            secret=secrets.secret,
            secret_anew=secrets.anew,
            clock=clock,
            owners=chosen.configuration.owners,
        ),
        dead_letters=dead_letters,
        clock=clock,
        spelling=Spelling(chosen.configuration, ledger, clock),
    )


def _dbt_cloud(
    chosen: Settings, secrets: Secrets, ledger: Ledger, clock: Callable[[], datetime]
) -> DbtCloud:
    found = chosen.configuration.dbt_cloud
    ref = secret_refs.parse(found.token.get_secret_value())
    token = partial(secrets.value, ref)
    # shorter than a destination's: an alert waits for the diagnosis, not the other way round
    outbound = Outbound(read_timeout_s=4.0, whole_answer_s=30.0)
    endpoint = hosts.discovery_endpoint(found.metadata_url or hosts.metadata_url(found.host))
    return DbtCloud(
        admin=Admin(found.base_url or hosts.admin_url(found.host), token, outbound),
        discovery=Discovery(endpoint, token, outbound),
        ledger=ledger,
        accounts=frozenset(str(account) for account in found.accounts),
        clock=clock,
        renew_token=partial(secrets.renew, ref),
    )


def _ledger(chosen: LedgerSettings, firestore_host: str | None) -> Ledger:
    # imported where chosen: Firestore's client takes a quarter of a second
    match chosen.kind:
        case "firestore":
            from subscriber.ledger.firestore import FirestoreLedger

            project, _, database = chosen.where.partition("/")
            return FirestoreLedger(project, database, firestore_host)
        case "sqlite":
            from subscriber.ledger.sqlite import SqliteLedger

            return SqliteLedger(Path(chosen.where))
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
