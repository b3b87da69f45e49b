"""The secrets of one Google Cloud project: their versions, and what is refused about them.

Source: https://cloud.google.com/secret-manager/docs/access-secret-version
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import grpc

PAYLOAD_LIMIT_BYTES = 65_536

CREATE = "secretmanager.secrets.create"
ADD = "secretmanager.versions.add"
ACCESS = "secretmanager.versions.access"

_PROJECT = re.compile(r"projects/(?P<project>[^/]+)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/secrets/(?P<secret>[A-Za-z0-9_-]{1,255})"
    r"(/versions/(?P<version>[A-Za-z0-9_-]{1,63}))?"
)


class State(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    DESTROYED = "DESTROYED"


class Refused(Exception):
    """The call is to be answered with the gRPC status `code`."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


@dataclass(frozen=True)
class Version:
    """`name` is the full one, with the project's number and the version's."""

    name: str
    payload: bytes
    state: State = State.ENABLED


class Secrets:
    """Secrets by their short names; versions count from 1. Safe to use from several threads.

    `project` and `number` both name the project.
    """

    def __init__(self, project: str = "afterrun-lab", number: str = "123456789") -> None:
        self._projects = (project, number)
        self._root = f"projects/{number}/secrets"
        self._versions: dict[str, list[Version]] = {}
        self._aliases: dict[tuple[str, str], int] = {}
        self._denied: set[str] = set()
        self.withheld: set[str] = set()
        """Permissions that the caller does not have, on any secret."""
        self.withheld_lately: set[str] = set()
        """Those of them that the caller is still said to have."""
        self._lock = threading.RLock()

    def put(self, secret: str, value: str | bytes) -> Version:
        """Make `value` the newest version of `secret`, which need not be there yet."""
        payload = value.encode() if isinstance(value, str) else value
        with self._lock:
            versions = self._versions.setdefault(secret, [])
            name = f"{self._root}/{secret}/versions/{len(versions) + 1}"
            versions.append(Version(name, payload))
            return versions[-1]

    def set_state(self, secret: str, version: int, state: State) -> None:
        with self._lock:
            versions = self._versions[secret]
            versions[version - 1] = replace(versions[version - 1], state=state)

    def alias(self, secret: str, alias: str, version: int) -> None:
        self._aliases[secret, alias] = version

    def deny(self, secret: str) -> None:
        """The caller may no longer touch `secret`."""
        self._denied.add(secret)

    def allow(self, secret: str) -> None:
        self._denied.discard(secret)

    def access(self, name: str) -> Version:
        """The version of a full name, which ends in a number, an alias or `latest`.

        `latest` is the newest, whatever its state: if it is disabled, none takes its place.
        """
        secret, number = self._parse(name, ACCESS)
        with self._lock:
            versions = self._versions.get(secret, [])
            if not versions:
                raise _not_found(f"Secret [{self._root}/{secret}] not found or has no versions.")
            aliases = {"latest": len(versions)} | {
                alias: version
                for (owner, alias), version in self._aliases.items()
                if owner == secret
            }
            index = aliases.get(number, int(number) if number.isdigit() else 0)
            if not 1 <= index <= len(versions):
                raise _not_found(f"Secret Version [{name}] not found.")
            version = versions[index - 1]
        if version.state is not State.ENABLED:
            details = f"Secret Version [{version.name}] is in {version.state} state."
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, details)
        return version

    def create(self, parent: str, secret: str) -> str:
        """A new secret without versions in the project of a full name; its full name."""
        project = _PROJECT.fullmatch(parent)
        if project is None or not _ID.fullmatch(secret):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "The name is malformed.")
        if project["project"] not in self._projects or CREATE in self.withheld:
            raise _denied(parent)
        with self._lock:
            if secret in self._versions:
                details = f"Secret [{self._root}/{secret}] already exists."
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, details)
            self._versions[secret] = []
        return f"{self._root}/{secret}"

    def granted(self, resource: str, permissions: Iterable[str]) -> list[str]:
        """Which of `permissions` the caller has on a secret; none on one that is not there."""
        parts = _NAME.fullmatch(resource)
        if parts is None or parts["version"]:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "The name is malformed.")
        known = parts["project"] in self._projects and parts["secret"] in self._versions
        if not known or parts["secret"] in self._denied:
            return []
        withheld = self.withheld - self.withheld_lately
        return [each for each in permissions if each not in withheld]

    def values(self, secret: str) -> list[str]:
        """What its versions hold, the first one first; for whoever looks at what was stored."""
        with self._lock:
            return [version.payload.decode() for version in self._versions.get(secret, [])]

    def add(self, parent: str, payload: bytes) -> Version:
        """A new version of the secret of a full name, which must be there."""
        secret, _ = self._parse(parent, ADD)
        if len(payload) > PAYLOAD_LIMIT_BYTES:
            details = f"The payload is larger than {PAYLOAD_LIMIT_BYTES} bytes."
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, details)
        with self._lock:
            if secret not in self._versions:
                raise _not_found(f"Secret [{self._root}/{secret}] not found.")
            return self.put(secret, payload)

    def _parse(self, name: str, permission: str) -> tuple[str, str]:
        parts = _NAME.fullmatch(name)
        if parts is None:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "The name is malformed.")
        is_denied = parts["secret"] in self._denied or permission in self.withheld
        if parts["project"] not in self._projects or is_denied:
            raise _denied(name)
        return parts["secret"], parts["version"] or ""


def _denied(name: str) -> Refused:
    details = f"Permission denied for resource '{name}' (or it may not exist)."
    return Refused(grpc.StatusCode.PERMISSION_DENIED, details)


def _not_found(details: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, details)
