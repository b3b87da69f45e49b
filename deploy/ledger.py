"""The ledger's database: what it must have, and who may use it."""

import json
from collections.abc import Iterator

from deploy import firestore_indexes
from deploy.binding import project_binding
from deploy.names import DATABASE, SUBSCRIBER, Deployment
from deploy.seen import all_of, are_overridden, expires, is_index
from deploy.step import Command, Look, Step, gcloud

PART = "ledger"


def ledger(it: Deployment) -> Iterator[Step]:
    databases, named = ("firestore", "databases"), f"--database={DATABASE}"
    yield Step(
        f"database {DATABASE} in {it.region}",
        PART,
        (
            gcloud(
                *(it.project, *databases, "create", named, f"--location={it.region}"),
                *("--type=firestore-native", "--edition=standard", "--delete-protection"),
            ),
        ),
        Look(gcloud(it.project, *databases, "describe", named, "--format=json")),
        wanted={"deleteProtectionState": "DELETE_PROTECTION_ENABLED"},
        change=(gcloud(it.project, *databases, "update", named, "--delete-protection"),),
        undo=(
            gcloud(it.project, *databases, "update", named, "--no-delete-protection"),
            gcloud(it.project, *databases, "delete", named),
        ),
        is_data=True,
    )
    yield from _indexes(it)
    yield project_binding(
        *(it, PART, it.member(SUBSCRIBER), "roles/datastore.user", "the database afterrun"),
        expression=f'resource.name=="projects/{it.project}/databases/{DATABASE}"',
    )


def _indexes(it: Deployment) -> Iterator[Step]:
    """Composite indexes, fields and TTL policies, as firestore.indexes.json declares them.

    They go with the database.
    """
    declared = json.loads(firestore_indexes.DECLARED.read_text(encoding="utf-8"))
    told = [tuple(each) for each in firestore_indexes.commands(declared, DATABASE, it.project)]
    listing = (f"--database={DATABASE}", "--format=json")
    for index in declared["indexes"]:
        group = index["collectionGroup"]
        fields = [(field["fieldPath"], field["order"]) for field in index["fields"]]
        made = _about(told, "composite", group, [name for name, _ in fields])
        look = gcloud(it.project, "firestore", "indexes", "composite", "list", *listing)
        listing_it = gcloud(
            *(it.project, "firestore", "indexes", "composite", "list", f"--database={DATABASE}"),
            *(f"--filter=name~/collectionGroups/{group}/", "--format=value(name)"),
        )
        what = f"index of {group} by {', '.join(name for name, _ in fields)}"
        yield Step(what, PART, made, Look(look, is_index(group, fields), listing_it))
    overrides = declared["fieldOverrides"]
    for group in dict.fromkeys(each["collectionGroup"] for each in overrides):
        ours = [each for each in overrides if each["collectionGroup"] == group]
        orders = {each["fieldPath"]: {index["order"] for index in each["indexes"]} for each in ours}
        look = gcloud(it.project, "firestore", "indexes", "fields", "list", *listing)
        yield Step(
            f"fields of {group}",
            PART,
            _about(told, "fields", group),
            Look(look, are_overridden(group, orders)),
            repeats=True,
        )
        ttls = [expires(group, each["fieldPath"]) for each in ours if each.get("ttl")]
        look = gcloud(it.project, "firestore", "fields", "ttls", "list", *listing)
        yield Step(
            f"end of life in {group}",
            PART,
            _about(told, "ttls", group),
            Look(look, all_of(*ttls)),
            repeats=True,
        )


def _about(
    told: list[Command], kind: str, group: str, fields: list[str] | None = None
) -> tuple[Command, ...]:
    """The commands of one kind for one collection group, and for the fields of one index."""
    found = []
    for command in told:
        of = "ttls" if "ttls" in command else "composite" if "composite" in command else "fields"
        named = [
            word.partition("field-path=")[2].partition(",")[0]
            for word in command
            if word.startswith("--field-config=")
        ]
        if of == kind and f"--collection-group={group}" in command and fields in (None, named):
            found.append(command)
    return tuple(found)
