"""Variations: what dbt would have written of a recorded run, had something else gone wrong in it.

The samples are few, and recorded; stories need runs in which another node fails, or the same one
with other words. A variation changes the status and message of some results, skips what dbt would
have skipped, and leaves all else as it was recorded. `tests/lab/dbt_cloud/test_variations.py`
compares them with recorded runs.

Sources: https://docs.getdbt.com/reference/commands/build (what is skipped),
https://docs.getdbt.com/reference/commands/retry
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab.dbt_cloud.samples import Sample
from lab.dbt_cloud.statuses import ERROR, SUCCESS

RESULTS, MANIFEST = "run_results.json", "manifest.json"
DATABASE_ERROR = "Catalog Error: Table with name receipts_{number} does not exist!\nLINE {number}: "
_BAD = ("error", "fail", "skipped")

Row = Mapping[str, Any]
Nodes = Mapping[str, Mapping[str, Any]]


def failing(good: Sample, *names: str, number: int = 7, error: str = DATABASE_ERROR) -> Sample:
    """`good`, a run of `dbt build`, in which the nodes called `names` failed.

    Models, seeds and snapshots fail with `error`, in which `{number}` is replaced; tests find
    `number` rows. What depends on a node that failed is skipped; for a test, what depends on all
    that it tests.
    """
    nodes = _nodes(good)
    failed = {_id(nodes, name) for name in names}
    skipped = _skipped(nodes, failed)

    def happened(row: Row) -> Row:
        unique_id = row["unique_id"]
        if unique_id in skipped:
            return _as_skipped(row)
        if unique_id in failed:
            return _as_failed(row, nodes[unique_id], error.format(number=number), number)
        return row

    return _with_rows(good, map(happened, _rows(good)), ERROR)


def warning(good: Sample, *names: str, number: int = 2) -> Sample:
    """`good` in which the tests called `names`, of `severity: warn`, found `number` rows."""
    nodes = _nodes(good)
    warned = {_id(nodes, name) for name in names}

    def happened(row: Row) -> Row:
        if row["unique_id"] not in warned:
            return row
        message = f"Got {number} results, configured to warn if != 0"
        return {**row, "status": "warn", "message": message, "failures": number}

    return _with_rows(good, map(happened, _rows(good)), good.status)


def selecting(sample: Sample, *names: str) -> Sample:
    """`sample` of a job with `dbt build --select`: only the nodes called `names` were executed."""
    nodes = _nodes(sample)
    selected = {_id(nodes, name) for name in names}
    rows = [row for row in _rows(sample) if row["unique_id"] in selected]
    status = ERROR if any(row["status"] in _BAD for row in rows) else SUCCESS
    return _with_rows(sample, rows, status, f"dbt build --select {' '.join(names)}")


def retrying(failed: Sample, good: Sample) -> Sample:
    """What follows `failed` where dbt Cloud resumes it from the point of failure, and all is well.

    A run of its own, of `dbt retry`: it executes what had failed or been skipped, nothing else.
    """
    again = {row["unique_id"] for row in _rows(failed) if row["status"] in _BAD}
    rows = [row for row in _rows(good) if row["unique_id"] in again]
    return _with_rows(good, rows, SUCCESS, "dbt retry")


def without(sample: Sample, name: str) -> Sample:
    """`sample` of a project from which the node called `name` was taken, with its tests."""
    nodes = _nodes(sample)
    gone = {_id(nodes, name)}
    gone |= {
        unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] == "test" and not gone.isdisjoint(_parents(node))
    }
    left = {
        unique_id: _not_below(node, gone)
        for unique_id, node in nodes.items()
        if unique_id not in gone
    }
    rows = [row for row in _rows(sample) if row["unique_id"] not in gone]
    manifest = _last(sample, MANIFEST)
    changed = {
        kind: {unique_id: left[unique_id] for unique_id in manifest[kind] if unique_id in left}
        for kind in ("nodes", "sources", "exposures")
    }
    return _with_rows(sample, rows, sample.status, manifest=manifest | changed)


def large(good: Sample, count: int, failed: int) -> Sample:
    """A run of a project of `count` models, `mart_00000` and so on, the first `failed` of which
    failed with the same error, each about a table of its own. Each is like `good`'s `orders`.
    """
    nodes = _nodes(good)
    like = nodes[_id(nodes, "orders")]
    (row,) = (row for row in _rows(good) if row["unique_id"] == like["unique_id"])
    models, rows = {}, list[Row]()
    for number in range(count):
        name = f"mart_{number:05}"
        unique_id, path = f"model.teahouse.{name}", f"models/marts/{name}.sql"
        relation = f'"analytics"."teahouse"."{name}"'
        models[unique_id] = {
            **like,
            "unique_id": unique_id,
            "name": name,
            "alias": name,
            "original_file_path": path,
            "depends_on": {"nodes": []},
        }
        made = {**row, "unique_id": unique_id, "relation_name": relation}
        if number < failed:
            error = DATABASE_ERROR.format(number=number)
            rows.append(_as_failed(made, models[unique_id], error, number))
        else:
            rows.append(made)
    manifest = _last(good, MANIFEST) | {"nodes": models, "sources": {}, "exposures": {}}
    return _with_rows(good, rows, ERROR if failed else SUCCESS, manifest=manifest)


def _skipped(nodes: Nodes, failed: Collection[str]) -> set[str]:
    """What `dbt build` skips: a test that failed stands above what depends on all it tests."""
    above: dict[str, frozenset[str]] = {}

    def ancestors(unique_id: str) -> frozenset[str]:
        if unique_id not in above:
            parents = _parents(nodes[unique_id])
            above[unique_id] = frozenset(parents).union(*map(ancestors, parents))
        return above[unique_id]

    tested = [set(_parents(nodes[each])) for each in failed if _is_test(nodes[each])]
    skipped = {
        unique_id
        for unique_id, node in nodes.items()
        if not ancestors(unique_id).isdisjoint(failed)
        or (not _is_test(node) and any(all_of_it <= ancestors(unique_id) for all_of_it in tested))
    }
    below = {each for each in nodes if not ancestors(each).isdisjoint(skipped)}
    return (skipped | below) - set(failed)


def _as_skipped(row: Row) -> Row:
    return {
        **row,
        "status": "skipped",
        "timing": [],
        "execution_time": 0,
        "adapter_response": {},
        "message": None,
        "failures": None,
        "compiled": None if row["compiled"] is None else False,
        "compiled_code": None,
    }


def _as_failed(row: Row, node: Mapping[str, Any], error: str, number: int) -> Row:
    if _is_test(node):
        message = f"Got {number} results, configured to fail if != 0"
        return {**row, "status": "fail", "message": message, "failures": number}
    lines = "\n".join(f"  {line}" for line in error.split("\n"))
    header = f"Runtime Error in {_described(node)}"
    return {**row, "status": "error", "message": f"{header}\n{lines}", "adapter_response": {}}


def _with_rows(
    sample: Sample,
    rows: Iterable[Row],
    status: int,
    command: str | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> Sample:
    """`sample` with other results of the command that wrote them last."""
    rows = list(rows)
    (index,) = [i for i, step in enumerate(sample.steps) if RESULTS in (step.artifacts or {})]
    former = sample.steps[index]
    artifacts = dict(former.artifacts or {})
    results = artifacts[RESULTS]
    artifacts[RESULTS] = results | {"results": rows}
    if command is not None:
        which = command.split()[1]
        args = results["args"] | {"which": which, "invocation_command": command}
        artifacts[RESULTS] |= {"args": args}
    if manifest is not None:
        artifacts[MANIFEST] = dict(manifest)
    step = replace(
        former,
        command=command or former.command,
        status=status,
        logs=_log(rows, artifacts[MANIFEST]["nodes"]),
        artifacts=artifacts,
    )
    return replace(
        sample,
        status=status,
        status_message="dbt command failed" if status == ERROR else None,
        steps=(*sample.steps[:index], step, *sample.steps[index + 1 :]),
    )


def _log(rows: Sequence[Row], nodes: Nodes) -> str:
    """The end of what dbt prints: what failed and warned, and the counts."""
    told = [row for row in rows if row["status"] in ("error", "fail", "warn")]
    warned = sum(row["status"] == "warn" for row in told)
    counts = {
        word: sum(row["status"] in statuses for row in rows)
        for word, statuses in {
            "PASS": ("success", "pass"),
            "WARN": ("warn",),
            "ERROR": ("error", "fail"),
            "SKIP": ("skipped",),
            "NO-OP": ("no-op",),
        }.items()
    }
    lines = [_completed(len(told) - warned, warned) if told else "Completed successfully"]
    for row in told:
        what = "Warning" if row["status"] == "warn" else "Failure"
        lines += ["", f"{what} in {_described(nodes[row['unique_id']])}", f"  {row['message']}"]
    counted = " ".join(f"{word}={count}" for word, count in counts.items())
    lines += ["", f"Done. {counted} TOTAL={len(rows)}"]
    return "".join(f"00:11:45  {line}\n" for line in lines)


def _completed(errors: int, warnings: int) -> str:
    failed = f"{errors} error{'' if errors == 1 else 's'}"
    warned = f"{warnings} warning{'' if warnings == 1 else 's'}"
    return f"Completed with {failed}, 0 partial successes, and {warned}:"


def _described(node: Mapping[str, Any]) -> str:
    return f"{node['resource_type']} {node['name']} ({node['original_file_path']})"


def _not_below(node: Mapping[str, Any], gone: Collection[str]) -> Mapping[str, Any]:
    if "depends_on" not in node:
        return node
    return {**node, "depends_on": {"nodes": [each for each in _parents(node) if each not in gone]}}


def _parents(node: Mapping[str, Any]) -> list[str]:
    parents: list[str] = node.get("depends_on", {}).get("nodes", [])
    return parents


def _is_test(node: Mapping[str, Any]) -> bool:
    return bool(node["resource_type"] == "test")


def _id(nodes: Nodes, name: str) -> str:
    (found,) = (unique_id for unique_id, node in nodes.items() if node.get("name") == name)
    return found


def _nodes(sample: Sample) -> Nodes:
    manifest = _last(sample, MANIFEST)
    return {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}


def _rows(sample: Sample) -> Sequence[Row]:
    rows: Sequence[Row] = _last(sample, RESULTS)["results"]
    return rows


def _last(sample: Sample, path: str) -> dict[str, Any]:
    (*_, found) = (s.artifacts[path] for s in sample.steps if s.artifacts and path in s.artifacts)
    return dict(found)
