"""An explanation for people: first who is told what, then why; for whoever was woken by it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cli import output
from cli.explain import diagnosis_text
from cli.explain.explanation import Explanation, Judged, Place
from cli.output import Cell, Style
from cli.rehearsal import Told
from cli.render.payload import payload
from subscriber.actions import Verb
from subscriber.configuration import Configuration
from subscriber.destination import Does
from subscriber.message import names_of
from subscriber.run import Outcome, node_name

PLACES_SHOWN = 10  # of one destination

DOES: dict[str, tuple[str, Style]] = {
    "open": ("opens an alert", "bad"),
    "update": ("updates its alert", "warn"),
    "remind": ("reminds of its alert", "warn"),
    "close": ("closes its alert", "good"),
    "tell": ("is told", "strong"),
    "refresh": ("is refreshed", "strong"),
    "held": ("held back", "warn"),
    "silenced": ("silenced", "warn"),
    "late": ("only counted in a digest", "warn"),
    "nothing": ("nothing", "dim"),
}


TICK = timedelta(minutes=1)


@dataclass(frozen=True)
class Basis:
    """From what it was explained, for people: each a line of its own."""

    lines: Sequence[tuple[str, str]] = ()
    notices: Sequence[str] = field(default_factory=tuple)
    """What to know before anything else, such as that it was decided on already."""


def show(
    found: Explanation, configuration: Configuration, basis: Basis, *, with_payload: bool = False
) -> None:
    """Print it: the answer, then why."""
    _title(found)
    for notice in basis.notices:
        output.spans(Cell(notice, "warn"))
    _who(found, configuration, with_payload=with_payload)
    _later(found, configuration, with_payload=with_payload)
    _what(found)
    _rules(found)
    _heading("Where this is from")
    for label, line in basis.lines:
        output.spans(Cell(f"{label}: ", "dim"), line, indent=2)


def _heading(text: str) -> None:
    output.say()
    output.say(text, "strong")


def _title(found: Explanation) -> None:
    event = found.event
    name = event.job_name or f"dbt job {event.job_id}"
    where = f" in {event.environment_name}" if event.environment_name else ""
    output.spans(Cell(f"{name} {_ended(found)}{where}", _tone(found)))
    run = found.answer.run
    facts = [
        f"run {event.run_id}",
        run.trigger if run else "",
        event.project_name,
        f"ended {output.when(event.finished_at)}" if event.finished_at else "",
    ]
    output.spans(Cell(" · ".join(filter(None, facts)), "dim"))
    if run and run.link:
        output.whole(run.link, "dim")


def _ended(found: Explanation) -> str:
    match found.outcome:
        case Outcome.CANCELLED:
            return "was cancelled"
        case Outcome.UNKNOWN:
            return "ended in a way that is not known"
        case Outcome.SUCCEEDED if found.answer.warned:
            return "succeeded with warnings"
        case _:
            return str(found.outcome)


def _tone(found: Explanation) -> Style:
    if found.outcome is Outcome.FAILED:
        return "bad"
    if found.outcome is not Outcome.SUCCEEDED:
        return "strong"
    return "warn" if found.answer.warned else "good"


def _who(found: Explanation, configuration: Configuration, *, with_payload: bool) -> None:
    names = list(dict.fromkeys(told.action.destination for told in found.told))
    _heading("Who would be told")
    if not names:
        output.spans(Cell("Nobody. ", "strong"), _nobody(found), indent=2)
    if found.waited_for:
        waited = output.length((found.decided_at or found.at) - found.at)
        told = f"It waits first: {found.waited_for}; decided on after {waited}."
        output.spans(Cell(told, "dim"), indent=2)
    if found.override is not None:
        matched = " or ".join(found.override.environment.written)
        output.spans(
            Cell(f"An override is in force: what happens in {matched} goes to ", "warn"),
            Cell(", ".join(found.override.then), "warn"),
            indent=2,
        )
    said = ""
    by_destination: dict[str, list[Place]] = {}
    for place in found.places:
        by_destination.setdefault(place.destination, []).append(place)
    for places in by_destination.values():
        for place in places[:PLACES_SHOWN]:
            said = _place(found, place, configuration, said, with_payload=with_payload)
        if (more := len(places) - PLACES_SHOWN) > 0:
            output.spans(Cell(f"and {more} more at {places[0].destination}", "dim"), indent=2)
    _others(found, configuration)


def _nobody(found: Explanation) -> str:
    if found.answer.is_unknown_account:
        return (
            f"Its account, {found.event.account_id}, is none of yours: so dbt Cloud's button "
            '"Test endpoint" looks. It is recorded, and that is all.'
        )
    if found.decided_at is None:
        return "It is not decided on in the time that was looked at."
    if found.told_before:
        return "What it calls for has gone out already."
    if found.is_late:
        return "It comes too late: a newer run of the job has ended."
    if found.reason:
        return f"{found.reason[0].upper()}{found.reason[1:]}."
    if any(judged.verdict.matches for judged in found.rules):
        return "Rules match, but nothing is to be told of it now."
    return "No rule matches."


def _place(
    found: Explanation,
    place: Place,
    configuration: Configuration,
    said: str,
    *,
    with_payload: bool,
) -> str:
    """One destination, and what was said last: what is said again is not shown again."""
    does, style = _does(place.decision, configuration, place.destination)
    subject = f" for {_subject(place.subject)}" if place.subject else ""
    output.spans(
        Cell(place.destination, "strong"),
        Cell(f" ({_kind(configuration, place.destination)}) ", "dim"),
        Cell(f"{does}{subject}", style),
        indent=2,
    )
    for told in place.told:
        said = _message(told, configuration, said, with_payload=with_payload)
    if place.reason:
        output.spans(Cell("why: ", "dim"), place.reason, indent=6)
    if place.before is not None:
        output.spans(Cell("before: ", "dim"), _before(found, place), indent=6)
    return said


def _message(told: Told, configuration: Configuration, said: str, *, with_payload: bool) -> str:
    headline = told.action.message.headline
    if told.action.verb is not Verb.REFRESH:
        output.spans("the same message" if headline == said else headline, indent=6)
    if with_payload:
        _payload(told, configuration)
    return headline


def _payload(told: Told, configuration: Configuration) -> None:
    text = payload(configuration, told.action)
    if not text:
        gone = "it is no longer configured: told as it was when it opened the alert"
        output.spans(Cell(gone, "dim"), indent=6)
    else:
        output.raw(output.shown(text))


def _does(decision: str, configuration: Configuration, name: str) -> tuple[str, Style]:
    found = configuration.destinations.get(name)
    if decision == Verb.REFRESH and found is not None and found.does is Does.TRIGGER:
        return "is started", "strong"
    return DOES[decision]


def _before(found: Explanation, place: Place) -> str:
    episode = place.before
    if episode is None:
        return ""
    state = "open" if episode.is_open else "held"
    parts = [f"{state} since {output.when(episode.since)}"]
    if episode.told_at:
        parts.append(f"told last {output.ago(episode.told_at, found.at)}")
    else:
        parts.append("nobody was told")
    runs = output.count(episode.runs, "bad run")
    nodes = names_of(list(episode.nodes), episode.more_nodes)
    parts.append(f"{runs} ({nodes})" if nodes else runs)
    return ", ".join(parts)


def _others(found: Explanation, configuration: Configuration) -> None:
    """The destinations at which nothing was decided: which rules would have named them."""
    seen = {place.destination for place in found.places}
    silent = [name for name in configuration.destinations if name not in seen]
    if seen and silent:
        output.spans(
            Cell("Not told: ", "dim"),
            Cell(", ".join(f"{name} ({_kind(configuration, name)})" for name in silent), "dim"),
            Cell(f"; no rule that names {'it' if len(silent) == 1 else 'them'} matches", "dim"),
            indent=2,
        )


def _later(found: Explanation, configuration: Configuration, *, with_payload: bool) -> None:
    if not found.later:
        return
    _heading("Later, if nothing else happens")
    said = found.told[-1].action.message.headline if found.told else ""
    for told in found.later:
        action = told.action
        does, style = _does(str(action.verb), configuration, action.destination)
        output.spans(
            Cell(f"{_in(told.at - found.at)} ", "strong"),
            Cell(action.destination, "strong"),
            Cell(f" {does}", style),
            indent=2,
        )
        said = _message(told, configuration, said, with_payload=with_payload)


def _in(wait: timedelta) -> str:
    return f"after {output.length(wait)}:" if wait >= TICK else "with the next tick:"


def _what(found: Explanation) -> None:
    """The diagnosis."""
    if found.diagnosis is not None:
        is_failure = found.outcome is Outcome.FAILED
        _heading("What is wrong" if is_failure else "What warned")
        diagnosis_text.show(found.diagnosis, "bad" if is_failure else "warn")
    elif found.answer.notes:
        _heading("What is not known")
    for note in found.answer.notes:
        end = "" if note.endswith("?") else "."
        output.spans(Cell(f"Not all is known: {note}{end}", "warn"), indent=2)


def _rules(found: Explanation) -> None:
    if found.answer.is_unknown_account:
        # they were not looked at
        return
    _heading("Rules")
    for judged in found.rules:
        _rule(judged)


def _rule(judged: Judged) -> None:
    verdict = judged.verdict
    to = f" → {', '.join(verdict.then or verdict.rule.then)}"
    if judged.why_not:
        output.spans(Cell("✗ ", "dim"), verdict.rule.name, Cell(to, "dim"), indent=2)
        for reason in judged.why_not:
            output.spans(Cell(reason, "dim"), indent=6)
        return
    output.spans(Cell("✓ ", "good"), Cell(verdict.rule.name, "strong"), to, indent=2)
    if verdict.left_out:
        output.spans(Cell(verdict.left_out, "warn"), indent=6)
    nodes = list(verdict.diagnosis.nodes)
    if verdict.rule.when.nodes is not None and nodes:
        guess = " (a guess: they could not be looked up)" if verdict.is_guess else ""
        output.spans(Cell(f"with {names_of(nodes)}{guess}", "dim"), indent=6)


def _subject(subject: str) -> str:
    kind, _, id_ = subject.partition("/")
    return f"node {node_name(id_)}" if kind == "node" else f"{kind} {id_}"


def _kind(configuration: Configuration, name: str) -> str:
    found = configuration.destinations.get(name)
    return found.kind() if found else "no longer configured"
