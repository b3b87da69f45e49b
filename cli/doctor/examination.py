"""An examination: which checks there are, run at once, and what they found in order."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from cli import output
from cli.doctor import (
    configuration,
    dbt_cloud,
    destinations,
    google,
    ledger,
    pubsub,
    running,
    secrets,
    service,
)
from cli.doctor.finding import About, Finding, Group, State
from cli.doctor.google import LOG_IN, Google, NoProject
from cli.doctor.patient import Patient
from cli.doctor.running import Check
from shared import secret_refs
from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretReader, SecretRef
from shared.settings import GoogleProject, emulator_host, is_loopback, text
from subscriber import wiring
from subscriber.ledger.contract import Ledger
from subscriber.settings import Places

LOOK_S = 10.0
"""For Google credentials: off Google Cloud it asks a server that is not there."""

STAND_IN = "GOOGLE_APIS_EMULATOR_HOST"
"""A stand-in for the APIs that are asked here, as SECRET_MANAGER_EMULATOR_HOST is for that one."""

_CHECKS: Mapping[Group, Callable[[Patient], list[Check]]] = {
    Group.SECRETS: secrets.checks,
    Group.DBT_CLOUD: dbt_cloud.checks,
    Group.DESTINATIONS: destinations.checks,
    Group.LEDGER: ledger.checks,
    Group.PUBSUB: pubsub.checks,
    Group.SERVICE: service.checks,
}


_NEED_CONFIGURATION = (Group.SECRETS, Group.DBT_CLOUD, Group.DESTINATIONS)
_NEED_PLACES = (Group.LEDGER, Group.PUBSUB)


def findings(
    environ: Mapping[str, str], *, groups: frozenset[Group], receiver: str = "", region: str = ""
) -> list[Finding]:
    """All that was found, in the order of the groups."""
    configured, of_configuration = configuration.configured(environ)
    places, of_places = configuration.placed(environ)
    patient = Patient(
        environ=environ,
        configuration=configured,
        places=places,
        google=None,
        read=_reader(places),
        ledger=partial(_ledger, places),
        now=wiring.NOW,
        receiver=receiver,
        region=region,
    )
    found = _wanted(of_configuration, groups, _NEED_CONFIGURATION)
    found += _wanted(of_places, groups, _NEED_PLACES)
    stopped = _stopped(patient, of_places)
    found += _not_looked_at(stopped, groups)
    groups -= stopped.keys()
    missed = out_of_reach(patient, groups)
    if missed or text(environ, STAND_IN):
        with output.progress("Looking for Google credentials ..."):
            seen = _google(environ, patient)
        if isinstance(seen, Google):
            patient = replace(patient, google=seen)
        if Group.CONFIGURATION in groups or not isinstance(seen, Google):
            found.append(of_google(seen, missed))
    checks = [
        check for group, made in _CHECKS.items() if group in groups for check in made(patient)
    ]
    with output.progress(f"{len(checks)} checks ...") as say:
        found += running.run(checks, lambda _, waiting: say(awaited(len(checks), waiting)))
    return sorted(found, key=lambda each: list(Group).index(each.group))


def awaited(count: int, waiting: Sequence[Check]) -> str:
    """How far it is, for people. Pure."""
    names = ", ".join(check.name for check in waiting[:3])
    more = " ..." if len(waiting) > 3 else ""
    return f"{count - len(waiting)} of {count} checks; waiting for {names}{more}"


def out_of_reach(patient: Patient, groups: frozenset[Group]) -> list[str]:
    """What of `groups` cannot be looked at without Google credentials, for people. Pure."""
    return list(_out_of_reach(patient, groups))


def of_google(seen: Google | Failure, missed: Sequence[str]) -> Finding:
    """Who we are at Google or, in one line, what is not looked at because we are nobody. Pure."""
    about = About(Group.CONFIGURATION, "Google")
    if isinstance(seen, Google):
        return about.ok(f"{seen.identity}, in the project {seen.project}")
    mend = "afterrun doctor --project ID" if isinstance(seen, NoProject) else LOG_IN
    return about.skipped(f"{seen}, so not looked at: {', '.join(missed)}", mend)


def _out_of_reach(patient: Patient, groups: frozenset[Group]) -> Iterator[str]:
    found, places = patient.configuration, patient.places
    if found is not None:
        refs = [ref for ref in secrets.uses(found) if patient.is_out_of_reach(ref)]
        if refs and Group.SECRETS in groups:
            yield output.count(len(refs), "secret")
        token = secret_refs.parse(found.dbt_cloud.token.get_secret_value())
        if Group.DBT_CLOUD in groups and patient.is_out_of_reach(token):
            yield "dbt Cloud"
        named = found.destinations.values()
        hidden = [each for each in named if destinations.out_of_reach(patient, each)]
        if hidden and Group.DESTINATIONS in groups:
            yield output.count(len(hidden), "destination")
    if places is not None:
        if Group.LEDGER in groups and ledger.is_out_of_reach(patient, places):
            yield "the ledger"
        if Group.PUBSUB in groups and not places.is_emulated:
            yield "Pub/Sub"
    if Group.SERVICE in groups:
        yield "what runs in the cloud"


def _stopped(patient: Patient, of_places: Sequence[Finding]) -> dict[Group, str]:
    """The groups that cannot be looked at, each with what keeps it from that."""
    stopped: dict[Group, str] = {}
    if patient.configuration is None:
        stopped |= dict.fromkeys(_NEED_CONFIGURATION, "the configuration")
    if of_places:
        needing = _NEED_PLACES if patient.places is None else (Group.LEDGER,)
        stopped |= dict.fromkeys(needing, of_places[0].name)
    return stopped


def _not_looked_at(stopped: Mapping[Group, str], groups: frozenset[Group]) -> Iterator[Finding]:
    """One line for all that the same thing stops."""
    for what in dict.fromkeys(stopped.values()):
        missed = [group for group, why in stopped.items() if why == what and group in groups]
        if missed:
            about = About(Group.CONFIGURATION, ", ".join(missed))
            yield about.skipped(f"not looked at before {what} can be read")


def _wanted(
    found: list[Finding], groups: frozenset[Group], needing: Sequence[Group]
) -> list[Finding]:
    """`found`, or where nobody asked for the configuration, what stops `needing`."""
    if Group.CONFIGURATION in groups:
        return found
    stops = groups.intersection(needing)
    return [each for each in found if stops and each.state is State.FAILS]


def _google(environ: Mapping[str, str], patient: Patient) -> Google | Failure:
    """Google as the credentials of this machine see it, or why it cannot be seen."""
    places = patient.places
    project = places.project.configured if places is not None else None
    host = emulator_host(environ, STAND_IN)
    if host is not None:
        if not is_loopback(host.rpartition(":")[0]):
            raise Mistake(f"{STAND_IN}: write a loopback address, as 127.0.0.1:8087")
        return google.of_stand_in(f"http://{host}", project or "stand-in", patient.outbound)
    answers: queue.Queue[Google | Failure] = queue.Queue()

    def look() -> None:
        try:
            answers.put(google.found(project, patient.outbound))
        except Failure as failure:
            answers.put(failure)

    threading.Thread(target=look, daemon=True).start()
    try:
        return answers.get(timeout=LOOK_S)
    except queue.Empty:
        return TemporaryFailure(f"no Google credentials were found in {LOOK_S:g} s")


def _reader(places: Places | None) -> Callable[[SecretRef], str]:
    if places is not None:
        return wiring.secret_reader(places).read
    return SecretReader(GoogleProject(None)).read


def _ledger(places: Places | None) -> Ledger:
    if places is None:
        raise PermanentFailure("it is not known where the ledger is")
    return wiring.ledger(places)
