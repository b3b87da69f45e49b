"""Settings that both functions share, read from the environment; mistakes in them are named."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from urllib.parse import urlsplit

from shared.errors import Mistake, NotSet

NO_CREDENTIALS = (
    "there are no Google credentials here: run `gcloud auth application-default login`, or as a "
    "service account"
)
"""Why Google could not be asked, and what mends it."""

DEFAULT_TOPIC = "dbt-cloud-events"
"""What `PUBSUB_TOPIC` is when it is not set: the topic of events."""

_PROJECT = r"projects/[a-z0-9:.-]{1,63}"
_SHORT = r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}"

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_HOST_PORT = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


def environment() -> Mapping[str, str]:
    """This process's environment: the one place of the functions that reads it."""
    return os.environ


def text(environ: Mapping[str, str], name: str, default: str = "") -> str:
    """The variable's value without surrounding white space; an empty one counts as not set."""
    return environ.get(name, "").strip() or default


def log_level(environ: Mapping[str, str]) -> str:
    level = text(environ, "LOG_LEVEL", "INFO").upper()
    if level not in LOG_LEVELS:
        raise Mistake(f"LOG_LEVEL: unknown level; use one of {', '.join(LOG_LEVELS)}")
    return level


def is_cloud_run(environ: Mapping[str, str]) -> bool:
    return bool(text(environ, "K_SERVICE"))


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port, is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> str:
    """`url` without a slash at its end; raises Mistake unless it is https, or http on loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Mistake("this is not a URL") from None
    if not url.isprintable() or " " in url:
        raise Mistake("this is not a URL; it holds white space")
    if parts.scheme not in ("http", "https") or not host:
        raise Mistake("this is not a URL; it begins with https://")
    if parts.query or parts.fragment:
        raise Mistake("paths are added to this URL; it has no query and no fragment")
    if parts.username or parts.password:
        raise Mistake("a URL holds no credentials here; they go where secrets are asked for")
    if parts.scheme == "http" and not is_loopback(host):
        raise Mistake("plain http is accepted for loopback addresses only; use https://")
    return url.rstrip("/")


def emulator_host(environ: Mapping[str, str], name: str) -> str | None:
    """The host:port that the variable names, or None. Raises Mistake for anything else."""
    value = text(environ, name)
    if not value:
        return None
    named = _HOST_PORT.fullmatch(value)
    if named is None or int(named["port"]) > 65_535:
        raise Mistake(f"{name}: write host:port, for example 127.0.0.1:8085")
    return value


def secret_manager_host(environ: Mapping[str, str]) -> str | None:
    """A stand-in's host:port, or None for Google's. Loopback only: secrets pass in the clear."""
    host = emulator_host(environ, "SECRET_MANAGER_EMULATOR_HOST")
    if host is not None and not is_loopback(host.rpartition(":")[0]):
        raise Mistake("SECRET_MANAGER_EMULATOR_HOST: write a loopback address, as 127.0.0.1:8086")
    return host


@dataclass(frozen=True)
class GoogleProject:
    """The project of short names: `GOOGLE_CLOUD_PROJECT`, else the credentials' own."""

    configured: str | None

    @cached_property
    def _of_credentials(self) -> str:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError

        try:
            _, project = google.auth.default()
        except DefaultCredentialsError:
            project = None
        if not project:
            raise NotSet(
                "no Google Cloud project is known: set GOOGLE_CLOUD_PROJECT, or run where there "
                "are credentials that name one (`gcloud auth application-default login`)"
            )
        return str(project)

    def __call__(self) -> str:
        """Its id. May ask the metadata server once; raises NotSet if there is none."""
        return self.configured or self._of_credentials


def topic(environ: Mapping[str, str], name: str, default: str) -> str:
    """The topic that the variable `name` holds, a short or a full name; raises Mistake."""
    return _of_pubsub("topic", environ, name, default)


def subscription(environ: Mapping[str, str], name: str, default: str) -> str:
    """The subscription that the variable `name` holds, short or full; raises Mistake."""
    return _of_pubsub("subscription", environ, name, default)


def topic_path(name: str, project: GoogleProject) -> str:
    """The full name (projects/P/topics/T) of a topic given by its short or full name."""
    return name if name.startswith("projects/") else f"projects/{project()}/topics/{name}"


def subscription_path(name: str, project: GoogleProject) -> str:
    """The full name (projects/P/subscriptions/S) of a subscription."""
    return name if name.startswith("projects/") else f"projects/{project()}/subscriptions/{name}"


def _of_pubsub(what: str, environ: Mapping[str, str], name: str, default: str) -> str:
    found = text(environ, name, default)
    if not re.fullmatch(rf"(?:{_PROJECT}/{what}s/)?{_SHORT}", found):
        raise Mistake(
            f"{name}: this is no name of a {what}; write a short one, for example {default}, "
            f"or a full one, projects/PROJECT/{what}s/{default}"
        )
    return found
