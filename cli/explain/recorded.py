"""Recorded: what was decided on an event when it came, and what became of it, from the ledger."""

from collections.abc import Mapping
from typing import Any

from cli import output
from cli.explain.page import DOES
from cli.output import Cell
from shared.errors import PermanentFailure
from shared.event import RunEvent
from subscriber.ledger.contract import Ledger, Work

ACTIONS_SHOWN = 50


def data(work: Work, ledger: Ledger) -> dict[str, Any]:
    """The record as JSON, each action with what became of it."""
    kept = {name: value for name, value in work.result.items() if name != "actions"}
    keys = work.result.get("actions", ())
    return {
        "key": work.key,
        "recorded_at": work.recorded_at,
        "is_settled": work.is_settled,
        "due_at": work.due_at,
        **kept,
        "actions": [_action(key, ledger.work(key)) for key in keys[:ACTIONS_SHOWN]],
        "more_actions": max(len(keys) - ACTIONS_SHOWN, 0),
    }


def _action(key: str, work: Work | None) -> dict[str, Any]:
    if work is None or not work.body:
        return {"key": key, "outcome": "no longer kept" if work is None else None}
    return {
        "key": key,
        "destination": work.body["destination"],
        "verb": work.body["verb"],
        "headline": work.body["message"]["headline"],
        "outcome": work.result.get("outcome"),
        "reason": work.result.get("reason"),
        "attempts": work.result.get("attempts", []),
        "due_at": work.due_at,
    }


def checked(work: Work | None, name: str) -> Work:
    """The record; raises PermanentFailure if there is none."""
    if work is None:
        raise PermanentFailure(f"the ledger has no record of {name}: it did not come here")
    return work


def show(record: Mapping[str, Any], event: RunEvent) -> None:
    """Print it: what was told, then why."""
    name = event.job_name or f"dbt job {event.job_id}"
    where = f" in {event.environment_name}" if event.environment_name else ""
    output.spans(Cell(f"{name}{where}: {record.get('outcome') or 'not decided on yet'}", "strong"))
    came = f"run {event.run_id} · {record['key']} · came {output.when(record['recorded_at'])}"
    output.spans(Cell(came, "dim"))
    if not record["is_settled"]:
        reason = f": {record['reason']}" if record.get("reason") else ""
        due = f"It is to be decided on {output.when(record['due_at'])}{reason}."
        output.spans(Cell(due, "warn"))
        return
    output.say()
    output.say("Who was told", "strong")
    if not record["actions"]:
        output.spans(Cell("Nobody. ", "strong"), str(record.get("reason") or ""), indent=2)
    for action in record["actions"]:
        _show_action(action)
    if record["more_actions"]:
        output.say(f"  and {record['more_actions']} more", "dim")
    for title, said in (("Why", record.get("reasons")), ("Rules", record.get("rules"))):
        if said:
            output.say()
            output.say(title, "strong")
            for name, reason in said.items():
                output.spans(Cell(f"{name}: "), Cell(reason, "dim"), indent=2)
    for note in record.get("notes", ()):
        output.spans(Cell(f"Not all was known: {note}.", "warn"), indent=2)


def _show_action(action: Mapping[str, Any]) -> None:
    if "verb" not in action:
        output.spans(action["key"], Cell(f" {action['outcome'] or ''}", "dim"), indent=2)
        return
    does, style = DOES.get(str(action["verb"]), (str(action["verb"]), ""))
    output.spans(Cell(f"{action['destination']} ", "strong"), Cell(does, style), indent=2)
    output.spans(str(action["headline"]), indent=6)
    if action["outcome"]:
        became = f"{action['outcome']}"
    else:
        became = f"not yet; tried again {output.when(action['due_at'])}"
    if action["reason"]:
        became += f": {action['reason']}"
    output.spans(Cell("outcome: ", "dim"), became, indent=6)
