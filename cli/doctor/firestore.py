"""A ledger's Firestore database: its mode, and what it must have for our queries.

Source: https://cloud.google.com/firestore/docs/reference/rest
"""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from cli.doctor.finding import About, Finding, Group
from cli.doctor.google import Google, MayNot, NotFound
from subscriber.settings import Places

APPLY = "python3 -m deploy.firestore_indexes"

_INDEXES, _DATABASE = About(Group.LEDGER, "indexes"), About(Group.LEDGER, "database")


def checked(google: Google, places: Places) -> Iterator[Finding]:
    """The database, its indexes and its TTL policies. Raises what Google does."""
    project, _, database = places.ledger.where.partition("/")
    at = f"projects/{project}/databases/{database}"
    where = f"--database={database} --project={project}"
    try:
        yield mode(google.get("firestore", f"v1/{at}"), where)
        yield needed(_indexes(google, at), _lasting(google, at), f"{APPLY} {where}")
    except NotFound:
        create = f"gcloud firestore databases create {where} --type=firestore-native"
        yield _DATABASE.fails("there is no such database", f"{create} --location=REGION")
    except MayNot as refused:
        yield _DATABASE.skipped(
            f"its mode and indexes are not shown: {refused}",
            f"gcloud projects add-iam-policy-binding {project} --condition=None "
            "--member=user:YOUR-ADDRESS --role=roles/datastore.indexAdmin",
        )


def mode(database: Mapping[str, Any], where: str) -> Finding:
    """Whether the ledger can be kept in `database`, as Google tells of it. Pure."""
    if database.get("type") != "FIRESTORE_NATIVE":
        mend = f"gcloud firestore databases update {where} --type=firestore-native"
        return _DATABASE.fails("it is not in Native mode", mend)
    if database.get("deleteProtectionState") == "DELETE_PROTECTION_ENABLED":
        return _DATABASE.ok("it is in Native mode, and protected from being deleted")
    mend = f"gcloud firestore databases update {where} --delete-protection"
    return _DATABASE.warns("it is in Native mode; one command could delete it", mend)


def needed(
    indexes: Mapping[str, list[Mapping[str, Any]]], lasting: Mapping[str, str], apply: str
) -> Finding:
    """Whether all that is declared is there.

    `indexes` are those of each collection group, `lasting` the states of TTL policies by group and
    field, as Google tells of them. Pure.
    """
    missing, building = [], []
    for index in _declared()["indexes"]:
        group, fields = index["collectionGroup"], _fields(index)
        found = [each for each in indexes.get(group, []) if _fields(each) == fields]
        name = f"{group} ({', '.join(field for field, _ in fields)})"
        if not found:
            missing.append(name)
        elif all(each.get("state") != "READY" for each in found):
            building.append(name)
    for group, field in _with_ttl():
        state = lasting.get(f"{group}/{field}", "")
        if state != "ACTIVE":
            (building if state == "CREATING" else missing).append(f"TTL of {group}.{field}")
    if missing:
        return _INDEXES.fails(f"missing: {', '.join(missing)}", apply)
    if building:
        return _INDEXES.warns(f"still being built: {', '.join(building)}", "wait some minutes")
    return _INDEXES.ok("all are there, and what has expired is removed")


def _indexes(google: Google, at: str) -> dict[str, list[Mapping[str, Any]]]:
    groups = {index["collectionGroup"] for index in _declared()["indexes"]}
    return {
        group: google.get("firestore", f"v1/{at}/collectionGroups/{group}/indexes").get("indexes")
        or []
        for group in groups
    }


def _lasting(google: Google, at: str) -> dict[str, str]:
    found = {}
    for group, field in _with_ttl():
        told = google.get("firestore", f"v1/{at}/collectionGroups/{group}/fields/{field}")
        found[f"{group}/{field}"] = str((told.get("ttlConfig") or {}).get("state", ""))
    return found


def _with_ttl() -> list[tuple[str, str]]:
    overrides = _declared()["fieldOverrides"]
    return [(each["collectionGroup"], each["fieldPath"]) for each in overrides if each.get("ttl")]


def _fields(index: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Google adds the document's name to each."""
    return [
        (str(field.get("fieldPath")), str(field.get("order")))
        for field in index.get("fields", [])
        if field.get("fieldPath") != "__name__"
    ]


def _declared() -> dict[str, Any]:
    file = files("subscriber") / "ledger" / "firestore.indexes.json"
    declared: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return declared
