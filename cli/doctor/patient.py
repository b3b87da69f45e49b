"""The patient: a deployment as far as it is known here, and the ways to ask about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from cli.deployed import Accounts
from cli.doctor.google import Google, MayNot, NotFound
from cli.doctor.once import Once
from shared.secret_refs import SecretRef
from subscriber.configuration import Configuration
from subscriber.ledger.contract import Ledger
from subscriber.outbound import Outbound
from subscriber.settings import Places


@dataclass(frozen=True)
class Patient:
    """`configuration` and `places` are None where they cannot be read, `google` without credentials
    or a project. `read` reads a secret and raises a Failure. `receiver` is the receiver's URL and
    `region` where the services run, empty if nobody said so.
    """

    environ: Mapping[str, str]
    configuration: Configuration | None
    places: Places | None
    google: Google | None
    read: Callable[[SecretRef], str]
    ledger: Callable[[], Ledger]
    now: Callable[[], datetime]
    outbound: Outbound = field(default_factory=Outbound)
    receiver: str = ""
    region: str = ""
    _secrets: dict[SecretRef, Once[str]] = field(default_factory=dict, repr=False)

    def secret(self, ref: SecretRef) -> str:
        """What `ref` names, read once; raises a Failure."""
        # setdefault: threads that come at once share one
        return self._secrets.setdefault(ref, Once(lambda: self.read(ref)))()

    def is_out_of_reach(self, ref: SecretRef) -> bool:
        """Whether it takes Google credentials to read it, and there are none."""
        if ref.scheme != "secret" or self.google is not None:
            return False
        return self.places is None or self.places.secret_manager_host is None

    def google_beside(self, stand_in: object) -> Google | None:
        """Google, to ask about what is looked at: not where `stand_in` has a part in place of it,
        unless Google itself is one here.
        """
        is_apart = bool(stand_in) and self.google is not None and not self.google.is_stand_in
        return None if is_apart else self.google

    @property
    def project(self) -> str:
        """The Google Cloud project; a word in its place where none is known."""
        if self.google is not None:
            return self.google.project
        configured = self.places.project.configured if self.places is not None else None
        return configured or "PROJECT"

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.project)

    @cached_property
    def has_subscriber(self) -> Once[bool]:
        """Whether the project has the account that the subscriber runs as in the cloud."""
        return Once(self._has_subscriber)

    def _has_subscriber(self) -> bool:
        if self.google is None:
            return False
        try:
            self.google.get("iam", f"v1/projects/-/serviceAccounts/{self.accounts.subscriber}")
        except NotFound:
            return False
        except MayNot:
            return True  # as a deployment has it
        return True
