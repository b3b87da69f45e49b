"""Destinations: whether each one's credential works, as far as shows without telling anybody."""

from collections.abc import Iterator
from functools import partial

from pydantic import SecretStr

from cli.doctor.finding import About, Finding, Group
from cli.doctor.patient import Patient
from cli.doctor.running import Check
from shared.errors import Failure, PermanentFailure
from subscriber.destination import Destination
from subscriber.examined import Examined
from subscriber.outbound import Outbound

WITHIN_S = 40.0


def checks(patient: Patient) -> list[Check]:
    """One for each destination whose secrets can be read from here."""
    if patient.configuration is None:
        return []
    return [
        Check(
            Group.DESTINATIONS,
            f"{name} ({destination.kind()})",
            partial(looked_at, patient, name, destination),
        )
        for name, destination in patient.configuration.destinations.items()
        if not out_of_reach(patient, destination)
    ]


def out_of_reach(patient: Patient, destination: Destination) -> bool:
    return any(map(patient.is_out_of_reach, destination.secret_refs().values()))


def looked_at(patient: Patient, name: str, written: Destination) -> Iterator[Finding]:
    about = About(Group.DESTINATIONS, f"{name} ({written.kind()})")
    for field, ref in written.secret_refs().items():
        try:
            patient.secret(ref)
        except Failure as failure:
            why = str(failure).replace(str(ref), "")
            yield about.skipped(
                f"not tried, since its {field} cannot be had: {' '.join(why.split())}"
            )
            return
    ready = written.with_secrets(patient.secret)
    for field, value in ready:
        if isinstance(value, SecretStr) and (why := ready.misfit(field)):
            yield about.fails(f"its {field} is not right: {why}", "")
            return
    try:
        found = examined(ready, patient.outbound.until(WITHIN_S))
    except PermanentFailure as failure:
        # it says itself what mends it
        yield about.fails(str(failure), "")
    except Failure as failure:
        yield about.fails(str(failure), "run it again; should it last, look at its status page")
    else:
        yield from judged(about, found)


def examined(ready: Destination, outbound: Outbound) -> Examined:
    """What a look at it shows; no secret of it in that, whoever has repeated one."""
    with ready.keeping_secrets():
        found = ready.examine(outbound)
    hidden = ready.without_secrets
    return Examined(hidden(found.said), found.is_tried, tuple(map(hidden, found.doubts)))


def judged(about: About, found: Examined) -> Iterator[Finding]:
    """Findings of what was seen. Pure."""
    yield about.ok(found.said) if found.is_tried else about.skipped(found.said, "afterrun send")
    for doubt in found.doubts:
        yield about.warns(doubt)
