"""All that is known of an event, for people: first what came of it, then how, then why."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cli import output
from cli.events.alert_story import AlertStory, Stories
from cli.events.life import Life
from cli.events.rows import style_of, times, why
from cli.events.summary import summary, told
from cli.events.tellings import Telling, worst_first
from cli.events.trace import Moment, trace
from cli.events.verdict import hints, reasons, verdict
from cli.output import Cell
from subscriber.durations import said
from subscriber.ledger.contract import KEEP_SETTLED
from subscriber.run import outcome

TOLD_LINES = 20
WHY_LINES = 30  # reasons, and rules that do not match
FIRST_MOMENTS, LAST_MOMENTS = 100, 50
MATCHED = "matched"


def show(life: Life, stories: Stories, now: datetime) -> None:
    _headline(life)
    output.line()
    found = verdict(life, now)
    output.entry((), found.text, found.style)
    _tellings(life, now)
    for each in hints(life, now):
        output.entry(("→ ",), each)
    _section("What happened (UTC)")
    _moments(trace(life, now))
    _reasons(life)
    _rules(life)
    _notes(life)
    _alerts(stories, now)
    _silences(stories, now)


def data(life: Life, stories: Stories, now: datetime) -> dict[str, Any]:
    """The same as JSON."""
    result = life.work.result
    return {
        **summary(life).data(),
        "verdict": verdict(life, now).text,
        "link": result.get("link") or None,
        "job_link": job_link(life) or None,
        "told": [
            told(each) | {"tries": [dict(attempt) for attempt in each.attempts]}
            for each in worst_first(life.tellings)
        ],
        "trace": [{"at": m.at, "who": m.who, "what": m.what} for m in trace(life, now)],
        "reasons": dict(reasons(life)),
        "rules": result.get("rules") or {},
        "notes": result.get("notes") or [],
        "not_on_record": result.get("more") or {},
        "alerts": [_alert_data(each) for each in stories.alerts],
        "silences": [
            {"id": each.id, "is_active": each.is_active(now), "ends_at": each.ends_at}
            for each in stories.silences
        ],
    }


def job_link(life: Life) -> str:
    """The job in dbt Cloud, beside the run as it is recorded."""
    event, link = life.event, str(life.work.result.get("link") or "").rstrip("/")
    if event is None or not link.endswith(f"/runs/{event.run_id}"):
        return ""
    return f"{link.removesuffix(f'/runs/{event.run_id}')}/jobs/{event.job_id}"


def _headline(life: Life) -> None:
    found, event = summary(life), life.event
    if event is None:
        output.line(Cell("A message that tells of no run", "strong"))
        output.line(Cell(life.work.key, "dim"))
        return
    is_settled = life.work.is_settled
    ended = found.outcome if is_settled else f"{outcome(event)}, not decided on yet"
    output.entry((), f"{found.place}: run {event.run_id}, {ended}", "strong")
    facts = [f"event {event.id}", event.type, f"account {event.account_id}"]
    if event.project_name or event.project_id:
        facts.append(f"project {event.project_name or event.project_id}")
    output.entry((), ", ".join(facts), "dim")
    if life.work.result.get("link"):
        output.entry(("run  ",), life.work.result["link"])
    if link := job_link(life):
        output.entry(("job  ",), link)


def _tellings(life: Life, now: datetime) -> None:
    tellings = worst_first(life.tellings)
    if not tellings:
        wide = _wide(place for place, _ in reasons(life))
        for place, reason in reasons(life)[:WHY_LINES]:
            output.entry(("  ", Cell(place.ljust(wide), "strong"), "  "), reason)
    wide = max((len(f"{each.destination} {each.verb}") for each in tellings), default=0)
    for each in tellings[:TOLD_LINES]:
        what = f"{each.destination} {each.verb}"
        output.entry((f"  {what.ljust(min(wide, 30))}  ",), _state(each, now), style_of(each.state))
    left = len(tellings) - TOLD_LINES
    unread = life.more + int((life.work.result.get("more") or {}).get("actions", 0))
    if left > 0 or unread:
        output.line(Cell(f"  and {max(left, 0) + unread} more", "dim"))


def _state(telling: Telling, now: datetime) -> str:
    if telling.state.is_problem:
        text = why(telling, now)
        return text if text.startswith(str(telling.state)) else f"{telling.state}: {text}"
    at = f" {telling.told_at:%m-%d %H:%M:%S}" if telling.told_at else ""
    tried = f", {times(telling.tried)}" if telling.tried > 1 else ""
    if telling.reason:
        return f"{telling.state}{at}: {telling.reason}{tried}"
    return f"{telling.state}{at}{tried}"


def _moments(moments: list[Moment]) -> None:
    wide = min(max((len(moment.who) for moment in moments), default=0), 24)
    day = ""
    left_out = len(moments) - FIRST_MOMENTS - LAST_MOMENTS
    for index, moment in enumerate(moments):
        if left_out > 0 and index == FIRST_MOMENTS:
            output.line(Cell(f"  ... {left_out} more: --json has all of them", "dim"))
        if left_out > 0 and FIRST_MOMENTS <= index < FIRST_MOMENTS + left_out:
            continue
        if (date := f"{moment.at:%Y-%m-%d}") != day:
            day = date
            output.line(Cell(f"  {day}", "dim"))
        head = (Cell(f"  {moment.at:%H:%M:%S}  ", "dim"), f"{moment.who.ljust(wide)}  ")
        output.entry(head, moment.what, moment.style)


def _reasons(life: Life) -> None:
    if reasons(life) and life.tellings:
        _section("Why it was told, or not")
        wide = _wide(place for place, _ in reasons(life))
        for place, reason in reasons(life)[:WHY_LINES]:
            output.entry((f"  {place.ljust(wide)}  ",), reason)
        _left_out(life, "reasons", len(reasons(life)) - WHY_LINES)


def _wide(names: Iterable[str]) -> int:
    """How wide a column of names is: as its longest one, but for very long ones."""
    return min(max(map(len, names), default=0), 24)


def _rules(life: Life) -> None:
    rules: Mapping[str, str] = life.work.result.get("rules") or {}
    if not rules:
        return
    _section("Rules")
    ordered = sorted(rules.items(), key=lambda rule: not rule[1].startswith(MATCHED))
    for name, verdict_ in ordered[:WHY_LINES]:
        matches = verdict_.startswith(MATCHED)
        mark = Cell("  ✓ ", "good") if matches else Cell("  ✗ ", "dim")
        text = name if verdict_ == MATCHED else f"{name}: {verdict_}"
        output.entry((mark,), text, "" if matches else "dim")
    _left_out(life, "rules", len(rules) - WHY_LINES)


def _notes(life: Life) -> None:
    if notes := life.work.result.get("notes"):
        _section("What dbt Cloud did not tell")
        for note in notes:
            output.entry(("  ",), note)


def _alerts(stories: Stories, now: datetime) -> None:
    if not (stories.alerts or stories.held):
        return
    _section("Alerts it is about")
    for story in stories.alerts:
        output.entry((f"  {story.destination}  ",), f"{story.key}, {_is_open(story, now)}")
        for each in story.told:
            at = each.told_at or each.since
            run = f"run {each.run}" if each.run else ""
            time = f"{at:%m-%d %H:%M:%S}" if at else ""
            head = (Cell(f"    {time}  ", "dim"), f"{each.verb.ljust(6)}  {run.ljust(9)}  ")
            output.entry(head, str(each.state), style_of(each.state))
    if stories.more:
        output.line(Cell(f"  and {stories.more} more", "dim"))
    for (destination, subject), episode in stories.held:
        runs = output.count(episode.runs, "run")
        since = said(now - episode.since)
        text = f"{subject}: nobody has been told of it yet; for {since}, {runs} with the problem"
        output.entry((f"  {destination}  ",), text)


def _silences(stories: Stories, now: datetime) -> None:
    if not stories.silences:
        return
    _section("Silences that held it back")
    for each in stories.silences:
        if each.is_active(now):
            text = f"active until {output.when(each.ends_at)} UTC"
        else:
            text = f"ended {output.when(each.ends_at)} UTC"
        output.entry((f"  {each.id}  ",), f"{text}, by {each.author}: {each.comment}")
        if each.is_active(now):
            output.entry(("  → ",), f"End it: afterrun silence expire {each.id}")


def _is_open(story: AlertStory, now: datetime) -> str:
    episode = story.now
    if episode is None:
        return "over"
    runs = output.count(episode.runs, "run")
    nodes = len(episode.nodes) + episode.more_nodes
    about = f", {output.count(nodes, 'node')}" if nodes else ""
    return f"open for {said(now - episode.since)} ({runs} with the problem{about})"


def _alert_data(story: AlertStory) -> dict[str, Any]:
    return {
        "key": story.key,
        "destination": story.destination,
        "is_open": story.now is not None,
        "since": story.now.since if story.now else None,
        "told": [told(each) | {"run_id": each.run or None} for each in story.told],
    }


def _section(title: str) -> None:
    output.line()
    output.line(Cell(title, "strong"))


def _left_out(life: Life, name: str, unshown: int) -> None:
    left = int((life.work.result.get("more") or {}).get(name, 0))
    if unshown > 0:
        output.line(Cell(f"  and {unshown} more: --json has them", "dim"))
    if left:
        output.line(Cell(f"  and {left} more, which the record has no room for", "dim"))


def kept_for() -> str:
    """How long there is anything to be found, for who finds nothing."""
    return f"what is settled is kept for {KEEP_SETTLED.days} days"
