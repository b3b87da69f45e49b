"""What opened an episode: kept with it, so that it is closed the same way after any change.

Kept are a destination's configuration and where its secrets are, never a secret.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from shared import secret_refs
from shared.secret_refs import Secret, SecretRef
from subscriber.actions import Action, Handle, WrittenByNewer
from subscriber.destination import Destination
from subscriber.ledger.contract import KEY_LIMIT, Change, Ledger

VERSION = 1
KEPT_WHILE_OPEN = timedelta(days=365)
KEPT_AFTER_CLOSE = timedelta(days=30)
"""As long as a close can be replayed."""

CONTENDED = 20  # writes lost in a row; the lease keeps all but one process away


@dataclass(frozen=True)
class KeptSecret:
    """Where a secret is, with the version that was used, and by what to recognise it."""

    reference: SecretRef
    fingerprint: str


@dataclass(frozen=True)
class Opening:
    """`fields` is the destination of kind `kind` as it was written, `handle` what it answered."""

    kind: str
    fields: Mapping[str, Any]
    secrets: Mapping[str, KeptSecret]
    handle: Handle

    @classmethod
    def by(cls, written: Destination, secrets: Mapping[str, Secret], handle: Handle) -> "Opening":
        """The opening by `written`, which holds references; `secrets` are what they named."""
        kept = {
            name: KeptSecret(secret.pinned, secret_refs.fingerprint(secret.value))
            for name, secret in secrets.items()
        }
        return cls(written.kind(), written.as_written(), kept, handle)

    def body(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {
            "version": VERSION,
            "kind": self.kind,
            "fields": dict(self.fields),
            "secrets": {
                name: {"reference": str(kept.reference), "fingerprint": kept.fingerprint}
                for name, kept in self.secrets.items()
            },
            "handle": asdict(self.handle),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Opening":
        """The opening that the ledger keeps as `body`.

        Raises WrittenByNewer for a version that this program does not know.
        """
        if body.get("version") != VERSION:
            raise WrittenByNewer("what is kept of the opening of this alert")
        secrets = {
            name: KeptSecret(secret_refs.parse(kept["reference"]), kept["fingerprint"])
            for name, kept in body["secrets"].items()
        }
        return cls(body["kind"], body["fields"], secrets, Handle(**body["handle"]))


@dataclass(frozen=True)
class Openings:
    """The openings that the ledger keeps. All methods raise what the ledger raises."""

    ledger: Ledger

    def of(self, action: Action) -> Opening | None:
        """What opened the episode of `action`; None if nothing is kept of it."""
        (kept,) = self.ledger.subjects([key(action)])
        return Opening.from_body(kept.body) if kept.body else None

    def keep(self, action: Action, opening: Opening, now: datetime) -> None:
        """Keep what opened the episode of `action`. Safe to repeat: the last one is kept.

        For KEPT_WHILE_OPEN: an alert may be left open for ever, its opening is not.
        """
        for _ in range(CONTENDED):
            (before,) = self.ledger.subjects([key(action)])
            if self.ledger.decide([Change(before, opening.body(), now + KEPT_WHILE_OPEN)], []):
                return

    def closed(self, action: Action, now: datetime) -> None:
        """Let the ledger forget, some time after `now`, what opened the episode of `action`."""
        (before,) = self.ledger.subjects([key(action)])
        if before.body:
            self.ledger.decide([Change(before, before.body, now + KEPT_AFTER_CLOSE)], [])


def key(action: Action) -> str:
    """The key in the ledger of what opened the episode of `action`."""
    whole = f"opened/{action.destination}/{action.episode_key}"
    if len(whole) <= KEY_LIMIT:
        return whole
    return f"opened/sha256/{sha256(whole.encode(errors='surrogatepass')).hexdigest()}"
