"""Questions: the most that the service would ask dbt Cloud about a run, whatever is open. Pure."""

from collections.abc import Iterable

from cli.history import Asked
from shared.event import RunEvent
from subscriber.configuration import Configuration
from subscriber.rules import PROBLEMS, Rule
from subscriber.run import Outcome, outcome


def asked(configurations: Iterable[Configuration], event: RunEvent) -> Asked:
    """Which results of the event's run any of `configurations` may want.

    "none" as well where nothing at all would be asked: what the list of runs says is enough.
    """
    ended = outcome(event)
    if ended not in (Outcome.FAILED, Outcome.SUCCEEDED):
        return "none"
    rules = [rule for each in configurations for rule in each.rules]
    if any(_may_open_nodes(rule, event) for rule in rules):
        # an alert of nodes ends by whichever run of its environment proves them good
        return "all"
    concerned = [rule for rule in rules if rule.when.could_match(event, ended)]
    if ended is Outcome.FAILED:
        # while an alert is open, whoever is told of the next failure is told what was fixed
        return "all" if concerned else "none"
    return (
        "all"
        if any({"warned", "clean"} & set(rule.when.outcome) for rule in concerned)
        else ("none")
    )


def _may_open_nodes(rule: Rule, event: RunEvent) -> bool:
    """Whether `rule` may have alerts of single nodes open in the event's environment."""
    is_of_nodes = rule.when.nodes is not None or (rule.alert and rule.alert.per == "node")
    if not is_of_nodes or rule.alert is None or not PROBLEMS & set(rule.when.outcome):
        return False
    return rule.when.model_copy(update={"job": None, "project": None}).covers(event)
