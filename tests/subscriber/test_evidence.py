"""Evidence: what a run proves of nodes."""

from subscriber.actions import Verb
from subscriber.evidence import Evidence
from subscriber.run import Answer, Outcome, Result, Status
from tests.builders import a_result
from tests.subscriber.runs import ITEMS, ORDERS, Runs
from tests.subscriber.story import Story, a_rule

WARNED = Result(ORDERS, Status.WARNED, "warn")


def test_where_warnings_are_problems_a_node_that_warned_is_not_good_but_bad_again() -> None:
    evidence = Evidence.of(Outcome.FAILED, Answer(results=(WARNED,)))

    assert evidence.good([ORDERS], warnings=True) == frozenset()
    assert evidence.bad([ORDERS], warnings=True) == {ORDERS}
    assert evidence.good([ORDERS], warnings=False) == {ORDERS}
    assert evidence.bad([ORDERS], warnings=False) == frozenset()


def test_a_cancelled_run_proves_nothing() -> None:
    good = Answer(results=(Result(ORDERS, Status.GOOD, "success"),), gone=frozenset({ITEMS}))

    evidence = Evidence.of(Outcome.CANCELLED, good)

    assert evidence.good([ORDERS, ITEMS], warnings=False) == frozenset()


def test_a_node_that_warns_stays_open_while_others_fail() -> None:
    rule = a_rule("both", "oncall", outcome=["failed", "warned"], nodes={"name": "orders"})
    story = Story(rules=(rule,))
    runs = Runs(story)

    runs.comes(100, Answer(results=(WARNED,), is_complete=True), status="Success", code=10)
    runs.comes(101, Answer(results=(a_result(ITEMS), WARNED), is_complete=True))

    assert [action.verb for action in story.alerts.actions] == [Verb.OPEN]
