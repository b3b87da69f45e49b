"""What a backtest found, as other programs read it: with --json."""

from typing import Any

from cli.backtest.played import Difference, Line, Played, Problem


def data(played: Played) -> dict[str, Any]:
    """All of it, as JSON has it; times are in UTC."""
    return {
        "since": played.since,
        "until": played.until,
        "events": played.events,
        "jobs": played.jobs,
        "ended": dict(played.ended),
        "lacking": played.lacking,
        "told": [_line(line) for line in played.lines],
        "totals": {
            name: {str(verb): count for verb, count in counts.items()}
            for name, counts in played.totals().items()
        },
        "days": {
            name: {
                str(day): count
                for day, count in zip(played.days(), played.each_day(name), strict=True)
            }
            for name in played.totals()
        },
        "rules": [
            {"rule": name, "matched": fired.matched, "misses": dict(fired.misses.most_common())}
            for name, fired in played.rules.items()
        ],
        "problems": [_problem(each, played) for each in played.problems()],
    }


def difference(found: Difference) -> dict[str, Any]:
    """What is otherwise: `gone` is only under the configuration that was named, `new` only now."""
    return {
        "gone": [_line(line) for line in found.gone],
        "new": [_line(line) for line in found.new],
        "changed": [
            {"before": _line(each.before), "now": _line(each.now)} for each in found.changed
        ],
        "gone_destinations": list(found.gone_destinations),
        "new_destinations": list(found.new_destinations),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "at": line.at,
        "destination": line.destination,
        "verb": str(line.verb),
        "headline": line.headline,
        "problem": line.problem,
        "key": line.key,
    }


def _problem(each: Problem, played: Played) -> dict[str, Any]:
    return {
        "headline": each.headline,
        "opened_at": each.opened_at,
        "closed_at": each.closed_at,
        "seconds": each.length(played.until),
        "destinations": list(each.destinations),
        "told": each.told,
    }
