"""Variables: every one that the functions read, what it means, and what this environment says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from function import settings as receiver
from shared import secret_refs
from shared.errors import Mistake
from shared.settings import DEFAULT_TOPIC, LOG_LEVELS, check_url, text
from subscriber import guides
from subscriber import settings as subscriber
from subscriber.configuration import DbtCloudSettings
from subscriber.destinations import kind
from subscriber.push_auth import GOOGLE_CERTS_URL
from subscriber.settings import DEFAULT_DEAD_LETTERS, DEFAULT_FILE, DEFAULT_LEDGER

NOT_SHOWN = "set, not shown"


@dataclass(frozen=True)
class Variable:
    """`shows` makes of a value what may be shown of it: no secret, whoever wrote it where."""

    name: str
    meaning: str
    default: str = ""
    shows: Callable[[str], str] = str

    @property
    def about(self) -> str:
        return f"{self.meaning}; default: {self.default}" if self.default else self.meaning


def here(variable: Variable, environ: Mapping[str, str]) -> str:
    """What `environ` says, without a secret; empty if it says nothing."""
    value = text(environ, variable.name)
    return variable.shows(value) if value else ""


def _reference(value: str) -> str:
    try:
        return str(secret_refs.parse(value))
    except Mistake:
        return NOT_SHOWN


def _references(value: str) -> str:
    return ", ".join(_reference(each) for each in value.split(",") if each.strip())


def _url(value: str) -> str:
    try:
        return check_url(value)
    except Mistake:
        return NOT_SHOWN


def _numbers(value: str) -> str:
    return value if value.replace(",", "").replace(" ", "").isdigit() else NOT_SHOWN


def _one_of(*known: str) -> Callable[[str], str]:
    plain = {each.casefold() for each in known}
    return lambda value: value if value.casefold() in plain else NOT_SHOWN


def _hidden(value: str) -> str:
    """Of what is no secret, but is copied from beside one."""
    return NOT_SHOWN


def _default(name: str, field: str) -> str:
    return str(kind(name).model_fields[field].default)


def _place(value: str) -> str:
    kinds = ("sqlite:", "firestore:", "memory:")
    return value if value.startswith(kinds) and "@" not in value else NOT_SHOWN


_EMULATOR = "host:port of an emulator instead of Google's"

BOTH = (
    Variable("GOOGLE_CLOUD_PROJECT", "the project of short names", "the one of the credentials"),
    Variable("PUBSUB_TOPIC", "the topic of events, a short or a full name", DEFAULT_TOPIC),
    Variable("PUBSUB_EMULATOR_HOST", _EMULATOR),
    Variable("SECRET_MANAGER_EMULATOR_HOST", f"{_EMULATOR}, on this machine"),
    Variable("LOG_LEVEL", f"what is logged: {', '.join(LOG_LEVELS)}", "INFO", _one_of(*LOG_LEVELS)),
)
RECEIVER = (
    Variable(
        "WEBHOOK_SECRETS",
        "where the webhooks' signing secrets are kept, separated by commas",
        shows=_references,
    ),
    Variable(
        "DBT_CLOUD_AUTH_TOKEN", "one more, named as in dbt's guides, or its place", "", _reference
    ),
)
SUBSCRIBER = (
    Variable("AFTERRUN_CONFIG", "the configuration file", f"{DEFAULT_FILE}, if it is there"),
    Variable(
        "LEDGER",
        "where it remembers: sqlite:PATH, firestore:PROJECT/DATABASE or memory:",
        f"{DEFAULT_LEDGER}, on Cloud Run none",
        _place,
    ),
    Variable(
        "PUBSUB_SUBSCRIPTION", "the subscription that `afterrun work` pulls", "named as the topic"
    ),
    Variable("DEAD_LETTER_TOPIC", "the topic of dead letters", DEFAULT_DEAD_LETTERS),
    Variable("DEAD_LETTER_SUBSCRIPTION", "the subscription that keeps them", "named as the topic"),
    Variable(
        "PUSH_AUTH",
        "how a push shows that it is ours: platform, verify or off",
        "verify with the two below; without them off, on Cloud Run none",
        _one_of("platform", "verify", "off"),
    ),
    Variable("PUSH_AUDIENCE", "the audience of the push subscription"),
    Variable("PUSH_SERVICE_ACCOUNT", "the e-mail of the service account that it pushes as"),
    Variable("PUSH_CERTS_URL", "where certificates are, for verify", GOOGLE_CERTS_URL, _url),
    Variable("FIRESTORE_EMULATOR_HOST", _EMULATOR),
    Variable("K_SERVICE", "set by Cloud Run, where other defaults hold"),
)
GUIDES = (
    Variable(guides.DBT_CLOUD["token"], "the service token, or where it is kept", "", _reference),
    Variable(
        guides.DBT_CLOUD["host"],
        "the host of your account's access URL",
        str(DbtCloudSettings.model_fields["host"].default),
    ),
    Variable(
        guides.DBT_CLOUD["accounts"],
        "your account's id; several, separated by commas",
        "those that the token sees",
        _numbers,
    ),
    Variable(guides.DBT_CLOUD["base_url"], "another address of the Administrative API", "", _url),
    Variable(guides.DBT_CLOUD["metadata_url"], "another address of the Discovery API", "", _url),
    Variable(
        guides.PAGERDUTY["routing_key"],
        "the integration key, or where it is kept: failed runs page",
        "",
        _reference,
    ),
    Variable("PD_BASE_URL", "another region", _default("pagerduty", "base_url"), _url),
    Variable(guides.MODE["token"], "a token of Mode, or where it is kept", "", _reference),
    Variable(guides.MODE["secret"], "its secret, or where it is kept", "", _reference),
    Variable(guides.MODE["workspace"], "the workspace's name in the URL"),
    Variable(
        guides.MODE["report"],
        "the report's token in the URL: successful runs refresh it",
        shows=_hidden,
    ),
    Variable("MODE_BASE_URL", "another address of Mode", _default("mode", "base_url"), _url),
)
FRAMEWORK = (
    Variable("PORT", "where a function listens", "8080"),
    Variable("THREADS", "requests at once; should equal the service's --concurrency"),
    Variable("WORKERS", "processes"),
)

GROUPS: Mapping[str, tuple[Variable, ...]] = {
    "Of both functions": BOTH,
    "Of the receiver": RECEIVER,
    "Of the subscriber": SUBSCRIBER,
    "Of dbt's guides, where there is no file": GUIDES,
    "Of the Functions Framework, for both": FRAMEWORK,
}
"""Every variable, under whose it is."""


def referred(environ: Mapping[str, str]) -> Mapping[str, bool]:
    """Whether each variable is set that the configuration refers to; none if it has mistakes."""
    try:
        refs = subscriber.references(subscriber.configured(environ))
    except Mistake:
        return {}
    return {ref.name: bool(text(environ, ref.name)) for ref in refs if ref.scheme == "env"}


def mistakes(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Why a function would not start with `environ`, by its name; empty if both would."""
    found = {}
    for name, read in (("receiver", receiver.read), ("subscriber", subscriber.read)):
        try:
            read(environ)
        except Mistake as mistake:
            found[name] = str(mistake)
    return found


def data(environ: Mapping[str, str]) -> dict[str, Any]:
    """All of it for programs."""
    return {
        "variables": [
            {
                "name": each.name,
                "whose": whose,
                "meaning": each.meaning,
                "default": each.default or None,
                "here": here(each, environ) or None,
            }
            for whose, group in GROUPS.items()
            for each in group
        ],
        "referred_to": dict(referred(environ)),
        "mistakes": dict(mistakes(environ)),
    }
