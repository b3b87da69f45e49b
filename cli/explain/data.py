"""An explanation as data: what --json prints."""

from typing import Any

from cli.explain.explanation import Explanation, Judged, Place
from cli.rehearsal import Told
from cli.render.payload import payload
from subscriber.configuration import Configuration
from subscriber.diagnosis import Cause, Diagnosis
from subscriber.episodes import Episode


def data(
    found: Explanation, configuration: Configuration, *, with_payload: bool = False
) -> dict[str, Any]:
    """All of it as JSON, but for times, which stay times."""

    def told(each: Told) -> dict[str, Any]:
        return _told(each, configuration, with_payload=with_payload)

    event, run = found.event, found.answer.run
    return {
        "event": vars(event),
        "outcome": found.outcome,
        "warned": found.answer.warned if found.outcome == "succeeded" else None,
        "link": run.link if run else "",
        "trigger": run.trigger if run else "",
        "is_known_account": not found.answer.is_unknown_account,
        "at": found.at,
        "decided_at": found.decided_at,
        "waited_for": found.waited_for,
        "is_late": found.is_late,
        "reason": found.reason,
        "told": [told(each) for each in found.told],
        "later": [told(each) for each in found.later],
        "told_before": list(found.told_before),
        "destinations": [_place(each, configuration) for each in found.places],
        "not_told": sorted(
            set(configuration.destinations) - {place.destination for place in found.places}
        ),
        "rules": [_judged(each) for each in found.rules],
        "override": (
            {"environment": found.override.environment.written, "then": found.override.then}
            if found.override
            else None
        ),
        "diagnosis": _diagnosis(found.diagnosis) if found.diagnosis else None,
        "notes": list(found.answer.notes),
    }


def _told(told: Told, configuration: Configuration, *, with_payload: bool) -> dict[str, Any]:
    action = told.action
    shown = {"payload": payload(configuration, action)} if with_payload else {}
    return {
        "at": told.at,
        "destination": action.destination,
        "verb": action.verb,
        "headline": action.message.headline,
        "key": action.key,
        "episode": action.episode_key,
        **shown,
    }


def _place(place: Place, configuration: Configuration) -> dict[str, Any]:
    destination = configuration.destinations.get(place.destination)
    return {
        "destination": place.destination,
        "kind": destination.kind() if destination else None,
        "subject": place.subject,
        "decision": place.decision,
        "reason": place.reason,
        "before": _episode(place.before) if place.before else None,
    }


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "is_open": episode.is_open,
        "since": episode.since,
        "told_at": episode.told_at,
        "runs": episode.runs,
        "nodes": list(episode.nodes),
        "more_nodes": episode.more_nodes,
    }


def _judged(judged: Judged) -> dict[str, Any]:
    verdict = judged.verdict
    return {
        "name": verdict.rule.name,
        "matches": verdict.matches,
        "why_not": list(judged.why_not),
        "then": list(verdict.then if verdict.matches else verdict.rule.then),
        "left_out": verdict.left_out,
        "nodes": list(verdict.diagnosis.nodes) if verdict.matches else [],
        "is_guess": verdict.is_guess,
    }


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "nodes": [_cause(cause) for cause in diagnosis.causes],
        "skipped": diagnosis.skipped,
        "text": diagnosis.text,
    }


def _cause(cause: Cause) -> dict[str, Any]:
    result = cause.result
    return {
        "unique_id": result.unique_id,
        "kind": result.kind,
        "name": result.name,
        "status": result.said,
        "error": cause.message,
        "path": cause.path,
        "group": result.group,
        "owner": result.owner,
        "owner_email": result.owner_email,
        "tags": list(result.tags),
        "skipped": list(cause.skipped),
    }
