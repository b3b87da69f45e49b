"""The subscriber's settings: the environment, and the configuration file that it names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from shared import secret_refs
from shared.errors import Mistake
from shared.secret_refs import SecretRef
from shared.settings import (
    DEFAULT_TOPIC,
    GoogleProject,
    check_url,
    emulator_host,
    is_cloud_run,
    log_level,
    secret_manager_host,
    subscription,
    text,
    topic,
)
from subscriber import configuration, guides
from subscriber.configuration import Configuration
from subscriber.findings import Finding, Mistakes
from subscriber.push_auth import GOOGLE_CERTS_URL
from subscriber.yaml_lines import parse, place_of

DEFAULT_FILE = "afterrun.yaml"
DEFAULT_DEAD_LETTERS = "dbt-cloud-events-dead-letters"
DEFAULT_LEDGER = "sqlite:./afterrun.db"
FILE_LIMIT_BYTES = 1_000_000

_FIRESTORE = re.compile(r"[A-Za-z0-9:._-]{1,63}/[A-Za-z0-9()_-]{0,63}")

PushMode = Literal["platform", "verify", "off"]


class Unreadable(Mistake):
    """The file that is named cannot be opened: nothing is known of what it says."""


@dataclass(frozen=True)
class LedgerSettings:
    """`where` is a path for `sqlite`, PROJECT/DATABASE for `firestore`, empty for `memory`."""

    kind: Literal["sqlite", "firestore", "memory"]
    where: str = ""


@dataclass(frozen=True)
class PushSettings:
    """How a request shows that it comes from our subscription."""

    mode: PushMode
    audience: str = ""
    service_account: str = ""
    certs_url: str = GOOGLE_CERTS_URL


@dataclass(frozen=True)
class Places:
    """Where a subscriber's things are kept, which an operator has to know as well: its project,
    topics and ledger. No configuration is needed for it.

    Topics and subscriptions are short or full names. `event_topic` is where events come from, and
    where a dead letter that never became one is published again; `event_subscription` is where who
    is not pushed to pulls them.
    """

    project: GoogleProject
    event_topic: str
    event_subscription: str
    dead_letter_topic: str
    dead_letter_subscription: str
    ledger: LedgerSettings
    secret_manager_host: str | None
    firestore_host: str | None
    is_emulated: bool


@dataclass(frozen=True)
class Settings:
    """What two subscribers may differ in. Holds references to secrets only: safe to show."""

    configuration: Configuration
    places: Places
    push: PushSettings
    log_level: str


def read(environ: Mapping[str, str]) -> Settings:
    """The settings that `environ` holds, and the configuration file that it names.

    Raises Mistake, which names the variable, or file and line, and the fix; it repeats no value.
    """
    push = _push(environ)
    found = configured(environ)
    if push.mode == "platform" and not is_cloud_run(environ):
        unsafe = Finding("PUSH_AUTH=platform: outside Cloud Run nobody has verified the push token")
        found = replace(found, warnings=(*found.warnings, unsafe))
    return Settings(found, places(environ), push, log_level(environ))


def places(environ: Mapping[str, str]) -> Places:
    """Where `environ` says that everything is kept; raises Mistake, which names the variable."""
    event_topic = topic(environ, "PUBSUB_TOPIC", DEFAULT_TOPIC)
    dead_letter_topic = topic(environ, "DEAD_LETTER_TOPIC", DEFAULT_DEAD_LETTERS)
    return Places(
        project=GoogleProject(text(environ, "GOOGLE_CLOUD_PROJECT") or None),
        event_topic=event_topic,
        event_subscription=subscription(
            environ, "PUBSUB_SUBSCRIPTION", event_topic.rpartition("/")[2]
        ),
        dead_letter_topic=dead_letter_topic,
        dead_letter_subscription=subscription(
            environ, "DEAD_LETTER_SUBSCRIPTION", dead_letter_topic.rpartition("/")[2]
        ),
        ledger=_ledger(environ),
        secret_manager_host=secret_manager_host(environ),
        firestore_host=emulator_host(environ, "FIRESTORE_EMULATOR_HOST"),
        is_emulated=emulator_host(environ, "PUBSUB_EMULATOR_HOST") is not None,
    )


def references(found: Configuration) -> list[SecretRef]:
    """Every secret that a configuration refers to, former ones and those of owners too."""
    token = secret_refs.parse(found.dbt_cloud.token.get_secret_value())
    of_destinations = [
        each
        for destination in found.destinations.values()
        for name, ref in destination.secret_refs().items()
        for each in (ref, *destination.former_refs(name))
    ]
    of_owners = [
        secret_refs.parse(owner.pagerduty.get_secret_value())
        for owner in found.owners.values()
        if owner.pagerduty is not None
    ]
    return [token, *of_destinations, *of_owners]


def configured(environ: Mapping[str, str]) -> Configuration:
    """The configuration that `environ` names or is. No secret, no network.

    Raises Mistake: Unreadable where there is nothing to look at, Mistakes with a place for each.
    """
    path = file_of(environ)
    if path is None:
        return guides.configuration(environ)
    found = configuration.read(*parse(_written(path), str(path)))
    beside = tuple(
        Finding(f"{name} is set, but {path} rules and does not refer to it")
        for name in guides.set_beside(environ, references(found))
    )
    return replace(found, warnings=found.warnings + beside)


def file_of(environ: Mapping[str, str]) -> Path | None:
    """The file that rules; None where the guides' variables do."""
    named = text(environ, "AFTERRUN_CONFIG")
    path = Path(named or DEFAULT_FILE)
    return path if named or path.is_file() else None


def _written(path: Path) -> str:
    try:
        with path.open("rb") as file:
            written = file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"AFTERRUN_CONFIG: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Unreadable("AFTERRUN_CONFIG: this is no path of a file") from None
    if len(written) > FILE_LIMIT_BYTES:
        raise Mistakes([Finding(f"larger than {FILE_LIMIT_BYTES:,} bytes", str(path))])
    try:
        return written.decode()
    except UnicodeDecodeError as error:
        before = written[: error.start].decode()
        place = place_of(before, len(before))
        raise Mistakes([Finding("not UTF-8 text", str(path), *place)]) from None


def _ledger(environ: Mapping[str, str]) -> LedgerSettings:
    written = text(environ, "LEDGER", "" if is_cloud_run(environ) else DEFAULT_LEDGER)
    if not written:
        raise Mistake("LEDGER: missing; on Cloud Run, set it to firestore:PROJECT/DATABASE")
    kind, _, where = written.partition(":")
    if kind == "firestore" and _FIRESTORE.fullmatch(where):
        project, database = where.split("/")
        return LedgerSettings("firestore", f"{project}/{database or '(default)'}")
    if (kind == "sqlite" and where) or kind == "memory":
        if is_cloud_run(environ):
            raise Mistake(
                f"LEDGER: Cloud Run keeps nothing that {kind} holds; "
                "set it to firestore:PROJECT/DATABASE"
            )
        if kind == "sqlite" and not Path(where).parent.is_dir():
            raise Mistake(
                f"LEDGER: the folder of {where} does not exist; create it, or name another place"
            )
        return LedgerSettings(cast("Literal['sqlite', 'memory']", kind), where)
    raise Mistake("LEDGER: write sqlite:PATH, firestore:PROJECT/DATABASE or memory:")


def _push(environ: Mapping[str, str]) -> PushSettings:
    audience = text(environ, "PUSH_AUDIENCE")
    account = text(environ, "PUSH_SERVICE_ACCOUNT")
    mode = text(environ, "PUSH_AUTH").lower()
    if not mode:
        if audience or account:
            mode = "verify"
        elif is_cloud_run(environ):
            raise Mistake(
                "PUSH_AUTH: missing; on Cloud Run, set it to platform (a private service) or "
                "verify, with PUSH_AUDIENCE and PUSH_SERVICE_ACCOUNT"
            )
        else:
            mode = "off"
    if mode not in ("platform", "verify", "off"):
        raise Mistake("PUSH_AUTH: write platform, verify or off")
    if mode == "off":
        if is_cloud_run(environ):
            raise Mistake("PUSH_AUTH: `off` is for this machine and emulators, not for Cloud Run")
        return PushSettings("off")
    for name, value in (("PUSH_AUDIENCE", audience), ("PUSH_SERVICE_ACCOUNT", account)):
        if not value:
            raise Mistake(f"{name}: missing; PUSH_AUTH={mode} compares the push token with it")
    try:
        certs_url = check_url(text(environ, "PUSH_CERTS_URL", GOOGLE_CERTS_URL))
    except Mistake as mistake:
        raise Mistake(f"PUSH_CERTS_URL: {mistake}") from None
    return PushSettings(cast(PushMode, mode), audience, account, certs_url)
