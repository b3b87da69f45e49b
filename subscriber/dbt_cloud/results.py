"""Results: what became of each node, read from dbt's artifacts and from Discovery's rows.

Sources: https://docs.getdbt.com/reference/artifacts/run-results-json,
https://docs.getdbt.com/reference/artifacts/sources-json,
https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-schema-job
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from subscriber import durations
from subscriber.dbt_cloud.fields import object_of, text_of
from subscriber.dbt_cloud.steps import EXECUTING, RUN_RESULTS
from subscriber.run import Result, Status

_STATUS = {
    "success": Status.GOOD,
    "pass": Status.GOOD,
    "reused": Status.REUSED,
    "no-op": Status.REUSED,
    "warn": Status.WARNED,
    "error": Status.FAILED,
    "fail": Status.FAILED,
    "runtime error": Status.FAILED,
    "partial success": Status.FAILED,
    "skipped": Status.SKIPPED,
}
_PROBLEMS = (Status.FAILED, Status.WARNED)
_EXECUTED = (Status.GOOD, *_PROBLEMS)


@dataclass(frozen=True)
class Written:
    """What one step wrote. `run_id` and `invocation` are empty where it does not say."""

    results: tuple[Result, ...]
    run_id: str = ""
    invocation: str = ""


def from_artifact(name: str, artifact: Mapping[str, Any], command: str) -> Written:
    """What the file `name`, of any version, says; `command` wrote it, unless it names another.

    Only commands that execute nodes can say that one is good: `docs generate` says "success" of
    all that compiled, `freshness` says "pass" of models. What is no result is left out.
    """
    rows = artifact.get("results")
    results = [
        Result(
            unique_id=row["unique_id"],
            status=_status(row.get("status")),
            said=text_of(row, "status").lower(),
            message=text_of(row, "message") or text_of(row, "error") or _age(row),
        )
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and isinstance(row.get("unique_id"), str)
    ]
    if name == RUN_RESULTS:
        may_be_good = (text_of(object_of(artifact.get("args")), "which") or command) in EXECUTING
        results = [r for r in results if may_be_good or r.status in _PROBLEMS]
    else:
        results = [r for r in results if r.kind == "source" or r.status in _PROBLEMS]
    metadata = object_of(artifact.get("metadata"))
    return Written(
        tuple(results),
        run_id=text_of(object_of(metadata.get("env")), "DBT_CLOUD_RUN_ID"),
        invocation=text_of(metadata, "invocation_id"),
    )


def merged(steps: Iterable[Written]) -> tuple[Result, ...]:
    """One result a node. A later step wins, unless only an earlier one executed the node."""
    by_node: dict[str, Result] = {}
    for written in steps:
        for result in written.results:
            before = by_node.get(result.unique_id)
            if not before or result.status in _EXECUTED or before.status not in _EXECUTED:
                by_node[result.unique_id] = result
    return tuple(by_node.values())


def joined(written: Iterable[Result], listed: Iterable[Result]) -> tuple[Result, ...]:
    """What Discovery lists, with the words of what steps wrote where both say the same."""
    by_node = {result.unique_id: result for result in written}
    for result in listed:
        before = by_node.get(result.unique_id)
        if before and before.status is result.status:
            result = replace(result, said=before.said, message=before.message or result.message)
        elif before and result.status not in _EXECUTED:
            result = before
        by_node[result.unique_id] = result
    return tuple(by_node.values())


def from_row(row: Mapping[str, Any]) -> Result | None:
    """The result in a row of one of Discovery's job lists; None if the node was not executed."""
    unique_id = row.get("uniqueId")
    if not isinstance(unique_id, str):
        return None
    said = _said(unique_id, row)
    if not said:
        return None
    return Result(unique_id, _status(said), said, message=text_of(row, "error"))


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
    loaded = f"last loaded {durations.said(timedelta(seconds=round(age_s)))} before the check"
    return ", ".join([loaded, *allowed])


def _units(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _said(unique_id: str, row: Mapping[str, Any]) -> str:
    kind = unique_id.partition(".")[0]
    if kind == "source":
        return text_of(row, "state").lower()
    if kind not in ("test", "unit_test"):
        return text_of(row, "status").lower()
    # a test's `status` may be a count of rows: its state decides, then its flags
    if state := text_of(row, "state").lower():
        return state
    for flag, said in (("skip", "skipped"), ("fail", "fail"), ("warn", "warn")):
        if row.get(flag) is True:
            return said
    if text_of(row, "error"):
        return "error"
    status = text_of(row, "status").lower()
    return status if status in _STATUS else ""


def _status(said: Any) -> Status:
    return _STATUS.get(said.lower(), Status.UNKNOWN) if isinstance(said, str) else Status.UNKNOWN
