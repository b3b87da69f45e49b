"""Whether what Google says of a thing is what we want of it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def agrees(found: Any, wanted: Any) -> bool:
    """Whether `found` says all that `wanted` says; it may say more.

    A value that is empty, zero or false may be left out: Google's JSON leaves those out.
    """
    if isinstance(wanted, Mapping):
        return all(
            agrees(found.get(key) if isinstance(found, Mapping) else None, value)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(agrees(*pair) for pair in zip(found, wanted, strict=True))
        )
    if found is None:
        return not wanted
    # 64-bit numbers are texts in Google's JSON, and a whole number may be written as 900.0
    if isinstance(wanted, int) and not isinstance(wanted, bool) and isinstance(found, str):
        return found == str(wanted)
    return bool(found == wanted)


def is_bound(member: str, role: str, condition: str = "") -> Callable[[Any], Any]:
    """Finds the binding in an IAM policy; `condition` is its expression."""
    return lambda policy: next(
        (
            binding
            for binding in policy.get("bindings", ())
            if binding.get("role") == role
            and member in binding.get("members", ())
            and binding.get("condition", {}).get("expression", "") == condition
        ),
        None,
    )


def first(**wanted: Any) -> Callable[[Any], Any]:
    """Finds the first of a list that agrees."""
    return lambda listed: next((each for each in listed or () if agrees(each, wanted)), None)


def is_index(group: str, fields: Iterable[tuple[str, str]]) -> Callable[[Any], Any]:
    """Finds the composite index; Firestore adds the document's name as a last field."""
    wanted = list(fields)
    return lambda indexes: next(
        (
            index
            for index in indexes or ()
            if f"/collectionGroups/{group}/" in str(index.get("name"))
            and [
                (field.get("fieldPath"), field.get("order"))
                for field in index.get("fields", ())
                if field.get("fieldPath") != "__name__"
            ]
            == wanted
        ),
        None,
    )


def are_overridden(group: str, orders: Mapping[str, set[str]]) -> Callable[[Any], Any]:
    """Finds the fields of a collection group, if each is indexed in the named orders only."""

    def found(fields: Any) -> Any:
        indexed = {
            field.get("name", "").rpartition("/")[2]: {
                part.get("order", part.get("arrayConfig"))
                for index in field.get("indexConfig", {}).get("indexes", ())
                for part in index.get("fields", ())
            }
            for field in fields or ()
            if f"/collectionGroups/{group}/" in str(field.get("name"))
        }
        return indexed if all(indexed.get(name) == kept for name, kept in orders.items()) else None

    return found


def expires(group: str, field: str) -> Callable[[Any], Any]:
    """Finds the TTL policy, unless enabling it went wrong."""
    return lambda fields: next(
        (
            each
            for each in fields or ()
            if str(each.get("name")).endswith(f"/collectionGroups/{group}/fields/{field}")
            and each.get("ttlConfig", {}).get("state") in ("ACTIVE", "CREATING")
        ),
        None,
    )


def is_serving(service: str, version: str) -> Callable[[Any], Any]:
    """Finds the Cloud Run service, if this version of it was deployed last, and became ready."""

    def found(services: Any) -> Any:
        for each in services or ():
            meta, status = each.get("metadata", {}), each.get("status", {})
            newest = status.get("latestCreatedRevisionName")
            if (
                meta.get("name") == service
                and meta.get("labels", {}).get("version") == version
                and newest
                and newest == status.get("latestReadyRevisionName")
            ):
                return each
        return None

    return found


def all_of(*finds: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: answer if all(find(answer) is not None for find in finds) else None


def is_text(text: str) -> Callable[[Any], Any]:
    """Finds a text that is this one, but for white space around it."""
    return lambda answer: answer if str(answer).strip() == text.strip() else None


def is_enabled(versions: Any) -> Any:
    """Finds the newest version of a secret, if it can be read."""
    return first(state="ENABLED")(versions[:1] if versions else ())


def pinned(services: Any) -> list[str]:
    """The services that do not give all traffic to what was deployed last: rolled back, say."""
    return [
        str(each["metadata"]["name"])
        for each in services or ()
        if each.get("metadata", {}).get("labels", {}).get("app") == "afterrun"
        and (traffic := each.get("spec", {}).get("traffic"))
        and not any(part.get("latestRevision") and part.get("percent") == 100 for part in traffic)
    ]
