"""Results: what became of each node, read from dbt's artifacts and from Discovery's rows.

Sources: https://docs.getdbt.com/reference/artifacts/run-results-json,
https://docs.getdbt.com/reference/artifacts/sources-json,
https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-schema-job
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from subscriber.run import Result, Status

_STATUS = {
    "success": Status.GOOD,
    "pass": Status.GOOD,
    "reused": Status.GOOD,
    "no-op": Status.GOOD,
    "warn": Status.WARNED,
    "error": Status.FAILED,
    "fail": Status.FAILED,
    "runtime error": Status.FAILED,
    "partial success": Status.FAILED,
    "skipped": Status.SKIPPED,
}


def from_artifact(artifact: Mapping[str, Any]) -> tuple[Result, ...]:
    """The results in a `run_results.json` or `sources.json` of any version."""
    rows = artifact.get("results")
    return tuple(
        Result(
            unique_id=row["unique_id"],
            status=_status(row.get("status")),
            said=_text(row, "status"),
            message=_text(row, "message") or _text(row, "error") or _age(row),
        )
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and isinstance(row.get("unique_id"), str)
    )


def from_row(row: Mapping[str, Any]) -> Result | None:
    """The result in a row of one of Discovery's job lists; None if the node was not executed."""
    unique_id = row.get("uniqueId")
    if not isinstance(unique_id, str):
        return None
    said = _said(unique_id, row)
    if not said:
        return None
    return Result(
        unique_id=unique_id,
        status=_status(said),
        said=said,
        message=_text(row, "error"),
        **details(row),
    )


def details(row: Mapping[str, Any]) -> dict[str, Any]:
    """What Discovery knows of a node beside its result, as fields of a Result."""
    meta = row.get("meta")
    owner = meta.get("owner") if isinstance(meta, dict) else None
    return {
        "tags": _texts(row.get("tags")),
        "group": _text(row, "dbtGroup"),
        "owner": owner if isinstance(owner, str) else "",
        "depends_on": _texts(row.get("dependsOn")),
    }


def _age(row: Mapping[str, Any]) -> str:
    """How old a source's data was and how old it may be; freshness has no message of its own."""
    age_s = row.get("max_loaded_at_time_ago_in_s")
    if isinstance(age_s, bool) or not isinstance(age_s, int | float) or not 0 <= age_s < 1e12:
        return ""
    criteria = row.get("criteria")
    allowed = (
        f"{limit.removesuffix('_after')} after {_units(rule['count'], rule['period'])}"
        for limit in ("warn_after", "error_after")
        if isinstance(criteria, dict)
        and isinstance(rule := criteria.get(limit), dict)
        and isinstance(rule.get("count"), int)
        and isinstance(rule.get("period"), str)
    )
    loaded = f"last loaded {timedelta(seconds=round(age_s))} before the check"
    return ", ".join([loaded, *allowed])


def _units(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _said(unique_id: str, row: Mapping[str, Any]) -> str:
    kind = unique_id.partition(".")[0]
    if kind == "source":
        return _text(row, "state").lower()
    if kind not in ("test", "unit_test"):
        return _text(row, "status").lower()
    # a test's `status` may be a count of rows: its state decides, then its flags
    if state := _text(row, "state").lower():
        return state
    for flag, said in (("skip", "skipped"), ("fail", "fail"), ("warn", "warn")):
        if row.get(flag) is True:
            return said
    if _text(row, "error"):
        return "error"
    status = _text(row, "status").lower()
    return status if status in _STATUS else ""


def _status(said: Any) -> Status:
    return _STATUS.get(said.lower(), Status.UNKNOWN) if isinstance(said, str) else Status.UNKNOWN


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
