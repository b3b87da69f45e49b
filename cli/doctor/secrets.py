"""Secrets: whether each can be read, by whom, and looks like what it should; none is shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from cli.deployed import member
from cli.doctor.finding import About, Finding, Group
from cli.doctor.google import LOG_IN, MayNot, NotFound
from cli.doctor.patient import Patient
from cli.doctor.running import Check
from function import settings as of_receiver
from shared import secret_refs
from shared.errors import Failure, Mistake
from shared.secret_refs import SecretGone, SecretRef
from subscriber.configuration import Configuration
from subscriber.destination import Destination

READER = "roles/secretmanager.secretAccessor"
SHOWN = 3  # of those who use one secret


@dataclass(frozen=True)
class Use:
    """Who needs a secret: `what` for people. Where it is a destination's, `field` is its field."""

    what: str
    destination: Destination | None = None
    field: str = ""
    by_receiver: bool = False


def checks(patient: Patient) -> list[Check]:
    """One for each secret that can be read from here."""
    found = uses(patient.configuration) if patient.configuration is not None else {}
    for ref in _of_receiver(patient.environ):
        found.setdefault(ref, []).append(Use("the receiver", by_receiver=True))
    return [
        Check(Group.SECRETS, str(ref), Reading(patient, ref, by))
        for ref, by in found.items()
        if not patient.is_out_of_reach(ref)
    ]


def uses(configuration: Configuration) -> dict[SecretRef, list[Use]]:
    """Each secret that it refers to, and who needs it. Pure."""
    token = secret_refs.parse(configuration.dbt_cloud.token.get_secret_value())
    found = {token: [Use("dbt_cloud.token")]}
    for name, destination in configuration.destinations.items():
        for field, ref in destination.secret_refs().items():
            found.setdefault(ref, []).append(Use(f"{name}.{field}", destination, field))
            for former in destination.former_refs(field):
                found.setdefault(former, []).append(Use(f"{name}.former_{field}s"))
    for name, owner in configuration.owners.items():
        if owner.pagerduty is not None:
            ref = secret_refs.parse(owner.pagerduty.get_secret_value())
            found.setdefault(ref, []).append(Use(f"owners.{name}.pagerduty"))
    return found


def oddity(value: str) -> str:
    """What makes `value` unlikely to be what was meant, whatever it is for; else empty. Pure."""
    if secret_refs.is_reference(value):
        return "it holds a reference to a secret in place of a secret"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "it stands in quotes, which are taken for a part of it"
    if "\n" in value or "\r" in value:
        return "it has several lines"
    if not value.isprintable():
        return "it holds a character that cannot be seen"
    return ""


def misfit(value: str, by: list[Use]) -> str:
    """Why `value` cannot be what those in `by` take it for; else empty. Pure."""
    for use in by:
        if use.destination is not None:
            held = use.destination.model_copy(update={use.field: SecretStr(value)})
            if why := held.misfit(use.field):
                return f"for {use.what} it is not right: {why}"
    return ""


@dataclass(frozen=True)
class Reading:
    """Reads one secret and looks at it."""

    patient: Patient
    ref: SecretRef
    by: list[Use]

    def __call__(self) -> Iterator[Finding]:
        about = About(Group.SECRETS, str(self.ref))
        named = [each.what for each in self.by]
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        what = f"for {', '.join(named[:SHOWN])}{more}"
        try:
            value = self.patient.secret(self.ref)
        except Failure as failure:
            yield self._unread(about, failure)
            return
        if why := misfit(value, self.by):
            yield about.fails(why, self._anew())
        elif why := oddity(value):
            yield about.warns(f"{what}: {why}", self._anew())
        else:
            yield from self._read(about, what)

    def _unread(self, about: About, failure: Failure) -> Finding:
        said = str(failure).removeprefix(f"the secret {self.ref} ")
        if self.ref.scheme == "secret" and isinstance(failure, SecretGone):
            return about.fails(said, self._anew())
        if "PermissionDenied" in said:
            return about.fails(said, self._grant("user:YOUR-ADDRESS"))
        if self.ref.scheme != "secret" and not self._runs_here:
            where = "on this machine; whether it is where the subscriber runs shows only there"
            return about.warns(f"{said} {where}")
        return about.fails(said, self._anew() if self.ref.scheme != "secret" else LOG_IN)

    def _read(self, about: About, what: str) -> Iterator[Finding]:
        places = self.patient.places
        google = self.patient.google_beside(places.secret_manager_host if places else None)
        if google is None or self.ref.scheme != "secret" or not self.patient.has_subscriber():
            yield about.ok(what)
            return
        for account in sorted(self._readers()):
            short = account.partition("@")[0]
            grant = self._grant(member(account))
            try:
                policy = google.policy("secretmanager", f"v1/{self._resource}")
            except (MayNot, NotFound):
                yield about.ok(f"{what}; not shown: whether {short} may read it")
                return
            if member(account) in policy.get(READER, ()):
                yield about.ok(f"{what}; {short} may read it too")
            else:
                yield about.warns(f"{what}; its policy does not name {short}", grant)

    @property
    def _runs_here(self) -> bool:
        places = self.patient.places
        return places is not None and places.ledger.kind != "firestore"

    def _readers(self) -> set[str]:
        accounts = self.patient.accounts
        return {accounts.receiver if use.by_receiver else accounts.subscriber for use in self.by}

    @property
    def _resource(self) -> str:
        return f"projects/{self._project}/secrets/{self.ref.name}"

    @property
    def _project(self) -> str:
        return self.ref.project or self.patient.project

    def _anew(self) -> str:
        """How to keep another value there."""
        if self.ref.scheme == "env":
            return f"set the variable {self.ref.name}"
        if self.ref.scheme == "file":
            return f"write it into {self.ref.name}, readable by this user"
        add = f"gcloud secrets versions add {self.ref.name} --data-file=-"
        return f"{add} --project={self._project}"

    def _grant(self, who: str) -> str:
        return (
            f"gcloud secrets add-iam-policy-binding {self.ref.name} --project={self._project} "
            f"--member={who} --role={READER}"
        )


def _of_receiver(environ: Mapping[str, str]) -> tuple[SecretRef, ...]:
    """The secrets that dbt Cloud signs with, where this environment names them."""
    try:
        return of_receiver.read(environ).secrets
    except Mistake:
        return ()
