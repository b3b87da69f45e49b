"""Details: what is known of a node beside its result, and whose it is.

A node's owner is that of its group, or who its `meta.owner` names. Tests have no group: what they
do not say themselves, the node that they test does.

Sources: https://docs.getdbt.com/reference/resource-properties/group,
https://docs.getdbt.com/reference/resource-configs/meta,
https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-schema-job
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from subscriber.dbt_cloud.fields import text_of
from subscriber.run import SEVERITIES, Result

TESTS = ("test", "unit_test")


@dataclass(frozen=True)
class Owner:
    name: str = ""
    email: str = ""

    def __bool__(self) -> bool:
        return bool(self.name)


@dataclass(frozen=True)
class Details:
    """`owner` is the node's own, from its `meta`; `tested` the node that a test is attached to."""

    tags: tuple[str, ...] = ()
    group: str = ""
    owner: Owner = Owner()
    depends_on: tuple[str, ...] = ()
    path: str = ""
    tested: str = ""
    severity: str = ""
    """What its `meta.severity` names, if that is one of SEVERITIES."""


def from_job(row: Mapping[str, Any]) -> Details:
    """What a row of Discovery's `job` says."""
    return Details(
        tags=_texts(row.get("tags")),
        group=text_of(row, "dbtGroup"),
        owner=owner_in(row.get("meta")),
        severity=severity_in(row.get("meta")),
        depends_on=_texts(row.get("dependsOn")),
    )


def from_environment(row: Mapping[str, Any]) -> Details:
    """What a node of Discovery's `environment` says, where `resources` lists it."""
    parents = row.get("parents")
    return Details(
        tags=_texts(row.get("tags")),
        group=text_of(row, "group"),
        owner=owner_in(row.get("meta")),
        severity=severity_in(row.get("meta")),
        depends_on=_texts([p.get("uniqueId") for p in parents if isinstance(p, dict)])
        if isinstance(parents, list)
        else (),
        path=text_of(row, "filePath"),
        tested=text_of(row, "testedNodeUniqueId"),
    )


def owner_in(meta: Any) -> Owner:
    """Whom `meta.owner` names: a text, a name with an e-mail address, or the first of a list."""
    named = meta.get("owner") if isinstance(meta, dict) else None
    if isinstance(named, list):
        named = named[0] if named else None
    if isinstance(named, dict):
        return owner(text_of(named, "name"), text_of(named, "email"))
    return owner(named if isinstance(named, str) else "", "")


def severity_in(meta: Any) -> str:
    """The severity that `meta.severity` names, in whichever case; empty for any other word."""
    named = meta.get("severity") if isinstance(meta, dict) else None
    word = named.strip().casefold() if isinstance(named, str) else ""
    return word if word in SEVERITIES else ""


def owner(name: str, email: str) -> Owner:
    """An owner; an e-mail address can stand for the name, and a name be an e-mail address."""
    name, email = name.strip(), email.strip()
    if not email and "@" in name and " " not in name:
        email = name
    return Owner(name or email, email)


def completed(of_run: Details, of_project: Details) -> Details:
    """What the run's own metadata says of a node, completed by the project's latest state."""
    return Details(
        tags=of_run.tags or of_project.tags,
        group=of_run.group or of_project.group,
        owner=of_run.owner or of_project.owner,
        depends_on=of_run.depends_on or of_project.depends_on,
        path=of_run.path or of_project.path,
        tested=of_run.tested or of_project.tested,
        severity=of_run.severity or of_project.severity,
    )


def described(
    results: Iterable[Result], known: Mapping[str, Details], groups: Mapping[str, Owner]
) -> tuple[Result, ...]:
    """`results` with what is `known` of each, by unique id. `groups` has owners by group."""
    return tuple(
        _described(result, known, groups) if result.unique_id in known else result
        for result in results
    )


def _described(result: Result, known: Mapping[str, Details], groups: Mapping[str, Owner]) -> Result:
    own = known[result.unique_id]
    tags, group, whose = own.tags, own.group, groups.get(own.group) or own.owner
    severity = own.severity
    tested = _tested(result, own, known, groups) if result.kind in TESTS else None
    if tested is not None:
        tags = tuple(dict.fromkeys((*tags, *tested.tags)))
        group = group or tested.group
        whose = own.owner or groups.get(group) or tested.owner
        severity = severity or tested.severity
    return replace(
        result,
        tags=tags,
        group=group,
        owner=whose.name,
        owner_email=whose.email,
        severity=severity,
        path=own.path,
        depends_on=own.depends_on,
        # half of what is to be known of a test is what it tests
        is_described=result.kind not in TESTS or tested is not None or not own.depends_on,
    )


def _tested(
    test: Result, own: Details, known: Mapping[str, Details], groups: Mapping[str, Owner]
) -> Details | None:
    """What is known of the node that `test` is about."""
    about = own.tested or _named(test, own.depends_on)
    if about:
        return known.get(about)
    candidates = [known[unique_id] for unique_id in own.depends_on if unique_id in known]
    owned = (found for found in candidates if groups.get(found.group) or found.owner)
    return next(owned, candidates[0] if candidates else None)


def _named(test: Result, depends_on: Iterable[str]) -> str:
    """The node that a generic test's name begins with: `relationships_orders_...` is of `orders`.

    dbt makes such names of the test, the tested node and the arguments, and puts a hash behind.
    """
    if test.unique_id.count(".") < 3:
        return ""
    places = {
        unique_id: place
        for unique_id in depends_on
        if (place := test.name.find(f"_{unique_id.rpartition('.')[2]}_")) >= 0
    }
    return min(places, key=lambda unique_id: places[unique_id], default="")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
