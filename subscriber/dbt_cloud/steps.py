"""Steps: which of a run's steps executed nodes, and in which artifact each says so.

Sources: https://docs.getdbt.com/reference/dbt-commands,
https://docs.getdbt.com/reference/artifacts/freshness-json
"""

import re

from subscriber.run import Step

RUN_RESULTS = "run_results.json"
SOURCES = "sources.json"
FRESHNESS = "freshness.json"

EXECUTING = frozenset({"build", "run", "test", "seed", "snapshot", "retry"})
"""Commands whose results say what was executed."""

_CHECKING = {"source": SOURCES, "freshness": FRESHNESS}  # how fresh data is; dbt 2 has the second
_DESCRIBING = frozenset({"docs", "generate", "compile", "show", "clone", "run-operation"})
"""Commands that write results, of which only a failure means anything."""

_WITHOUT_RESULTS = frozenset({"clean", "deps", "init", "list", "ls", "parse"})
_KNOWN = EXECUTING | _CHECKING.keys() | _DESCRIBING | _WITHOUT_RESULTS

_BUILT_IN = ("clone ", "create profile")
_QUOTED = re.compile(r"`\s*dbt\s([^`]*)`")
_BARE = re.compile(r"\bdbt\s(.*)", re.DOTALL)


def command(step: Step) -> str:
    """The dbt command of `step`, without flags: `docs` of "Invoke dbt with `dbt docs generate`".

    Empty where that cannot be told.
    """
    found = _QUOTED.search(step.name) or _BARE.search(step.name)
    words = found[1].split() if found else ()
    # flags may stand before it, and their values
    return next((word for word in words if word in _KNOWN), "")


def executed(step: Step) -> bool:
    """Whether `step` may have executed nodes, or looked how fresh they are."""
    return _may_have_results(step) and command(step) not in _DESCRIBING


def failed(step: Step) -> bool:
    """Whether `step` failed and may have written which nodes it failed for."""
    return step.failed and _may_have_results(step)


def artifact(step: Step) -> str:
    """The file in which `step` says what became of the nodes."""
    return _CHECKING.get(command(step), RUN_RESULTS)


def _may_have_results(step: Step) -> bool:
    is_built_in = step.name.lower().startswith(_BUILT_IN)
    return step.has_begun and not is_built_in and command(step) not in _WITHOUT_RESULTS
