"""Golden files: what each kind is told in each case, kept to be compared with and looked at.

`make golden` writes them anew; look at what changed before you keep it.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

from subscriber import configuration, destinations
from subscriber.actions import Action, Message, Verb
from subscriber.yaml_lines import parse
from tests.builders import a_node, a_told, an_action

KEPT = Path(__file__).parents[2] / "golden"
PAGES = Path(__file__).parents[3] / "docs" / "destinations"

ENDED = a_told(
    headline="Daily build succeeded in Production",
    nodes=(),
    level="",
    outcome="succeeded",
    job_link="https://cloud.getdbt.com/deploy/1/projects/9/jobs/7",
)
PROBLEM = a_told(
    headline="Daily build failed in Production: model orders: no such column (2 skipped)",
    outcome="failed",
    since="2026-01-05T12:00:00+00:00",
    skipped=2,
    job_link="https://cloud.getdbt.com/deploy/1/projects/9/jobs/7",
    facts={
        "job": "Daily build",
        "job_id": "7",
        "run_id": "100",
        "environment": "Production",
        "project": "Shop",
        "account_id": "1",
        "trigger": "scheduled",
        "branch": "main",
        "commit": "4f1c2d9",
    },
    nodes=(
        a_node(
            path="models/marts/orders.sql",
            group="finance",
            owner="Ada Lovelace <ada@example.com>",
            tags=("daily", "finance"),
            skipped=("customers", "revenue"),
        ),
    ),
)
NASTY = (
    "<!channel> <@U012AB3CD> *bold* _it_ `code` ```block``` <b>x</b> & [a](http://x) "
    "\u202egnp.exe\u202c \x00\x07 👩‍👩‍👧 naïve \u05d0\u05d1\u05d2 =cmd|' /C' @here https://x.example/?a=1&b=2"
)


def _many(count: int, error: str) -> Message:
    nodes = tuple(
        a_node(
            unique_id=f"model.shop.model_{i}",
            name=f"model_{i}",
            message=f"{error} ({i})",
            path=f"models/model_{i}.sql",
        )
        for i in range(count)
    )
    return replace(
        PROBLEM,
        headline=f"Daily build failed in Production: {count + 900} nodes (model_0, model_1, …)",
        nodes=nodes,
        more_nodes=900,
        causes=(f"no such table: {count} of {count + 900} (model_0, model_1)",),
        owners=("finance: 60 of 1000 (model_0, model_1)",),
    )


_MESSAGES: dict[str, tuple[Verb, Message]] = {
    "open": (Verb.OPEN, PROBLEM),
    "open-warning": (
        Verb.OPEN,
        replace(
            PROBLEM,
            headline="Daily build warned in Production: test unique_orders: got 3 results",
            level="warning",
            outcome="warned",
            nodes=(a_node(name="unique_orders", kind="test", status="warn"),),
        ),
    ),
    "open-nodes-unknown": (
        Verb.OPEN,
        replace(
            PROBLEM,
            headline="Daily build failed in Production: could not clone the repository",
            nodes=(),
            skipped=0,
            text="git clone: fatal: could not read from remote repository\nNot all is known: x.",
        ),
    ),
    "open-many": (Verb.OPEN, _many(100, "Database Error: no such table " + "x" * 400)),
    "open-huge": (Verb.OPEN, replace(PROBLEM, nodes=(a_node(message="E" * 100_000),))),
    "open-nasty": (
        Verb.OPEN,
        replace(
            PROBLEM,
            headline=NASTY,
            source=NASTY,
            text=NASTY,
            note=NASTY,
            facts={"job": NASTY, "environment": NASTY},
            nodes=(a_node(name=NASTY, message=NASTY, owner=NASTY, path=NASTY, tags=(NASTY,)),),
        ),
    ),
    "update": (
        Verb.UPDATE,
        replace(
            PROBLEM,
            headline="Daily build still fails in Production: 1 new (customers), 1 fixed (orders)",
            new=("customers",),
            still=("items",),
            fixed=("orders",),
        ),
    ),
    "remind": (
        Verb.REMIND,
        replace(PROBLEM, headline=f"Still open after 1 d, 3 runs: {PROBLEM.headline}"),
    ),
    "close": (
        Verb.CLOSE,
        a_told(
            headline="Daily build recovered in Production",
            nodes=(),
            outcome="recovered",
            since="2026-01-05T12:00:00+00:00",
            fixed=("orders",),
            facts={
                "job": "Daily build",
                "run_id": "103",
                "environment": "Production",
                "runs_with_the_problem": "3",
                "open_for": "2 h 10 min",
            },
        ),
    ),
    "tell": (Verb.TELL, ENDED),
    "digest": (
        Verb.TELL,
        Message(
            headline="3 alerts were held back: Daily build failed and 2 more",
            source="Afterrun",
            text="Daily build failed\nHourly build failed\nWeekly build failed",
            level="",
            outcome="digest",
        ),
    ),
}
CASES = (*_MESSAGES, "refresh")


def cases(kind: str) -> tuple[str, ...]:
    """Those of CASES that are kept of a kind: what it is told differs in them."""
    starts = destinations.kind(kind).does.starts
    return ("refresh", "open-nasty") if starts else tuple(_MESSAGES)


def a_case(kind: str, case: str) -> Action:
    """The action of that case; where the kind refreshes or triggers, every case is a refresh."""
    if case == "refresh" or destinations.kind(kind).does.starts:
        message = ENDED if case == "refresh" else _MESSAGES[case][1]
        return an_action(Verb.REFRESH, message=message)
    verb, message = _MESSAGES[case]
    return an_action(verb, message=message)


def of(kind: str) -> list[Path]:
    """What is kept of a kind."""
    return sorted((KEPT / kind).glob("*.txt"))


def read(kind: str, case: str) -> str:
    return (KEPT / kind / f"{case}.txt").read_bytes().decode()


def write(kind: str) -> None:
    """Keep what the first example of the kind's page is told in each case."""
    example = re.search(r"```yaml\n(.*?)```", (PAGES / f"{kind}.md").read_text(), re.DOTALL)
    if example is None:
        sys.exit(f"docs/destinations/{kind}.md shows no example")
    found = configuration.read(*parse(example[1], "example.yaml")).destinations
    (destination,) = found.values()
    (KEPT / kind).mkdir(parents=True, exist_ok=True)
    for case in cases(kind):
        shown = destination.shown(a_case(kind, case))
        (KEPT / kind / f"{case}.txt").write_bytes(shown.encode())


if __name__ == "__main__":
    for name in sys.argv[1:] or destinations.names():
        write(name)
