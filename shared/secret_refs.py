"""References to secrets (`secret:NAME`, `env:NAME`, `file:/path`) and reading what they name.

Configuration holds references only, so that it can be shown, logged and committed. A value is
read when it is first needed.

Source: https://cloud.google.com/secret-manager/docs/access-secret-version
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shared.errors import Failure, Mistake, NotSet, PermanentFailure

FORMS = "secret:NAME, secret:NAME@VERSION, env:NAME or file:/path"
READ_TIMEOUT_S = 3.0
SIZE_LIMIT_BYTES = 65_536  # what Secret Manager allows; a file larger than this is no secret

_SECRET_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VERSION = re.compile(r"[A-Za-z0-9_-]{1,63}")
_FULL_NAME = re.compile(
    r"projects/(?P<project>[a-z0-9:.-]{1,63})/secrets/(?P<name>[A-Za-z0-9_-]{1,255})"
    r"(?:/versions/(?P<version>[A-Za-z0-9_-]{1,63}))?"
)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

SCHEMA = (
    r"^\s*(?:env:[A-Za-z_][A-Za-z0-9_]*|file:/.*"
    r"|secret:[A-Za-z0-9_-]{1,255}(?:@[A-Za-z0-9_-]{1,63})?"
    r"|secret:projects/[a-z0-9:.-]{1,63}/secrets/[A-Za-z0-9_-]{1,255}"
    r"(?:/versions/[A-Za-z0-9_-]{1,63})?)\s*$"
)
"""What a reference looks like, for editors: so that they mark a secret that is none."""


@dataclass(frozen=True)
class SecretRef:
    """Where a secret is; safe to log. `version` and `project` are for Secret Manager only."""

    scheme: Literal["secret", "env", "file"]
    name: str
    version: str = "latest"
    project: str | None = None

    def __str__(self) -> str:
        if self.scheme != "secret":
            return f"{self.scheme}:{self.name}"
        if self.project is not None:
            return f"secret:projects/{self.project}/secrets/{self.name}/versions/{self.version}"
        return f"secret:{self.name}" + ("" if self.version == "latest" else f"@{self.version}")


class SecretGone(PermanentFailure):
    """This version of a secret is not there, disabled or destroyed: nobody will read it again."""


@dataclass(frozen=True)
class Secret:
    """What a reference names. `pinned` names this very value, where its place counts versions."""

    value: str = field(repr=False)
    pinned: SecretRef


def fingerprint(value: str) -> str:
    """16 hex digits by which a secret is recognised without being kept."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def is_reference(text: str) -> bool:
    """Whether `text` is meant as a reference; a literal secret is not."""
    return text.strip().startswith(("secret:", "env:", "file:"))


def parse(text: str) -> SecretRef:
    """The reference that `text` writes down.

    Raises Mistake for anything else; its message never repeats `text`, which may be a secret
    written where a reference belongs.
    """
    scheme, _, rest = text.strip().partition(":")
    if scheme == "env" and _ENV_NAME.fullmatch(rest):
        return SecretRef("env", rest)
    if scheme == "file" and rest.startswith("/") and rest.isprintable():
        return SecretRef("file", rest)
    if scheme == "secret" and (full := _FULL_NAME.fullmatch(rest)):
        return SecretRef("secret", full["name"], full["version"] or "latest", full["project"])
    if scheme == "secret":
        name, at, version = rest.partition("@")
        if _SECRET_NAME.fullmatch(name) and (not at or _VERSION.fullmatch(version)):
            return SecretRef("secret", name, version or "latest")
    if scheme in ("secret", "env", "file"):
        raise Mistake(f"this {scheme}: reference is malformed; write {FORMS}")
    raise Mistake(f"a secret is written here as it is; write where it is kept: {FORMS}")


@dataclass(frozen=True)
class SecretReader:
    """Reads what references name. Safe to share between threads, and to repeat.

    `project` is asked for only when a `secret:NAME` without a project is read.
    `manager_host` is the loopback host:port of a stand-in for Secret Manager, None for Google's.
    """

    project: Callable[[], str]
    manager_host: str | None = None
    environ: Mapping[str, str] | None = None

    def read(self, ref: SecretRef) -> str:
        """The secret, stripped of surrounding white space; raises what `resolve` raises."""
        return self.resolve(ref).value

    def resolve(self, ref: SecretRef) -> Secret:
        """The secret, stripped of surrounding white space, and which version of it that is.

        From Secret Manager, `pinned` holds the project and the number of the version, `latest` or
        an alias resolved; a variable and a file have no versions, and `pinned` is `ref`.

        Raises PermanentFailure if it is not there, NotSet if it is empty, SecretGone if Secret
        Manager has no such version any more, TemporaryFailure if it does not answer within a few
        seconds. Messages name the reference, never the value.
        """
        if ref.scheme == "env":
            value = (os.environ if self.environ is None else self.environ).get(ref.name, "")
            secret = Secret(value, ref)
        elif ref.scheme == "file":
            secret = Secret(_read_file(ref), ref)
        else:
            secret = self._read_from_manager(ref)
        if not secret.value.strip():
            raise NotSet(f"the secret {ref} is empty or not set")
        return Secret(secret.value.strip(), secret.pinned)

    def _read_from_manager(self, ref: SecretRef) -> Secret:
        # imported here: a fifth of a second that a start without `secret:` does not pay
        from shared import secret_manager

        project = ref.project or self.project()
        name = f"projects/{project}/secrets/{ref.name}/versions/{ref.version}"
        try:
            found = secret_manager.access(name, host=self.manager_host, timeout_s=READ_TIMEOUT_S)
        except Failure as failure:
            raise type(failure)(f"the secret {ref} cannot be read: {failure}") from None
        return Secret(found.value, parse(f"secret:{found.name}"))


def _read_file(ref: SecretRef) -> str:
    try:
        with Path(ref.name).open("rb") as file:
            value = file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise PermanentFailure(f"the secret {ref} cannot be read: {error.strerror}") from None
    if len(value) > SIZE_LIMIT_BYTES:
        raise PermanentFailure(f"the secret {ref} is larger than {SIZE_LIMIT_BYTES:,} bytes")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise PermanentFailure(f"the secret {ref} is not UTF-8 text") from None
