"""Messages: what is told about a run, in no vendor's words and bounded in size."""

from shared.event import RunEvent
from subscriber.actions import Message, Node
from subscriber.diagnosis import Cause, Diagnosis
from subscriber.run import Answer

NODES_LIMIT = 100  # told of one run; the rest is counted
SKIPPED_LIMIT = 20  # names of skipped nodes told with their cause
NODE_TEXT_LIMIT = 20_000  # characters of one node's error
TEXT_LIMIT_BYTES = 500_000  # of all errors together: a message is kept in the ledger
HEADLINE_NODES = 5
_LINE_LIMIT = 300


def failed(event: RunEvent, answer: Answer, diagnosis: Diagnosis, link: str) -> Message:
    """What is told when a run failed: the nodes, or else why they are not known. Pure."""
    nodes = _nodes(diagnosis)
    return Message(
        headline=f"{_job(event)} failed{_in(event)}: {_what(diagnosis)}",
        source=_source(event),
        text=_text(diagnosis),
        nodes=nodes,
        more_nodes=len(diagnosis.causes) - len(nodes),
        skipped=diagnosis.skipped,
        link=link,
        facts=_facts(event, answer),
    )


def recovered(event: RunEvent, link: str) -> Message:
    """What is told when a later run of the job was good. Pure."""
    return Message(
        headline=f"{_job(event)} recovered{_in(event)}",
        source=_source(event),
        link=link,
        facts=_facts(event, Answer()),
    )


def succeeded(event: RunEvent, link: str) -> Message:
    """Why a dashboard is refreshed. Pure."""
    return Message(
        headline=f"{_job(event)} succeeded{_in(event)}",
        source=_source(event),
        link=link,
        facts=_facts(event, Answer()),
    )


def _job(event: RunEvent) -> str:
    return event.job_name or f"dbt job {event.job_id}"


def _in(event: RunEvent) -> str:
    return f" in {event.environment_name}" if event.environment_name else ""


def _source(event: RunEvent) -> str:
    return " / ".join(filter(None, [event.project_name, event.environment_name, _job(event)]))


def _what(diagnosis: Diagnosis) -> str:
    causes = diagnosis.causes
    if not causes:
        return _said(diagnosis.text) or "the failed nodes are not known"
    if len(causes) == 1:
        cause = causes[0]
        return f"{cause.result.kind} {cause.result.name}{_colon(_line(cause))}{_skipped(diagnosis)}"
    names = ", ".join(cause.result.name for cause in causes[:HEADLINE_NODES])
    more = f" and {len(causes) - HEADLINE_NODES} more" if len(causes) > HEADLINE_NODES else ""
    return f"{len(causes)} nodes ({names}{more}){_skipped(diagnosis)}"


def _said(log: str) -> str:
    """What a failed step's log says first; dbt puts the kind of error on a line of its own."""
    lines = [line.strip() for line in log.split("\n")[1:] if not line.endswith("error:")]
    if len(lines) > 1 and lines[0].endswith("Error"):
        return _shortened(f"{lines[0]}: {lines[1]}", _LINE_LIMIT)
    return _shortened(lines[0], _LINE_LIMIT) if lines else ""


def _line(cause: Cause) -> str:
    """The line of an error that says most: dbt's header names the node again, the next says why."""
    lines = [line.strip() for line in cause.message.split("\n") if line.strip()]
    if len(lines) > 1 and cause.path and cause.path in lines[0]:
        return _shortened(lines[1], _LINE_LIMIT)
    return _shortened(lines[0], _LINE_LIMIT) if lines else ""


def _colon(text: str) -> str:
    return f": {text}" if text else ""


def _skipped(diagnosis: Diagnosis) -> str:
    return f" ({diagnosis.skipped} skipped)" if diagnosis.skipped else ""


def _text(diagnosis: Diagnosis) -> str:
    said = _shortened(diagnosis.text, NODE_TEXT_LIMIT)
    missing = [f"Not all is known: {note}." for note in diagnosis.notes]
    return "\n".join(filter(None, [said, *missing]))


def _nodes(diagnosis: Diagnosis) -> tuple[Node, ...]:
    left = TEXT_LIMIT_BYTES
    nodes = []
    for cause in diagnosis.causes[:NODES_LIMIT]:
        # a code point takes four bytes at the most
        message = _shortened(cause.message, min(NODE_TEXT_LIMIT, left // 4))
        left -= len(message.encode())
        nodes.append(_node(cause, message))
    return tuple(nodes)


def _node(cause: Cause, message: str) -> Node:
    more = len(cause.skipped) - SKIPPED_LIMIT
    result = cause.result
    return Node(
        unique_id=_shortened(result.unique_id, _LINE_LIMIT),
        name=_shortened(result.name, _LINE_LIMIT),
        kind=result.kind,
        status=result.said,
        message=message,
        path=_shortened(cause.path, _LINE_LIMIT),
        group=_shortened(result.group, _LINE_LIMIT),
        owner=_shortened(result.owner, _LINE_LIMIT),
        tags=tuple(_shortened(tag, 100) for tag in result.tags[:20]),
        skipped=(*cause.skipped[:SKIPPED_LIMIT], *([f"and {more} more"] if more > 0 else [])),
    )


def _facts(event: RunEvent, answer: Answer) -> dict[str, str]:
    run = answer.run
    facts = {
        "job": event.job_name,
        "job_id": event.job_id,
        "run_id": event.run_id,
        "environment": event.environment_name,
        "project": event.project_name,
        "account_id": event.account_id,
        "trigger": run.trigger if run else "",
        "branch": run.git_branch if run else "",
        "commit": run.git_sha if run else "",
        "status_message": run.status_message if run else event.status_message,
    }
    return {name: _shortened(value, _LINE_LIMIT) for name, value in facts.items() if value}


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return text[: limit - 1] + "…" if limit > 0 else ""
