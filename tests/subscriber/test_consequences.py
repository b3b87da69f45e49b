"""Consequences: what is remembered of a job, and the actions that a run calls for."""

from typing import Any, ClassVar

import pytest

from subscriber.actions import Action, Verb
from subscriber.consequences import Consequences, consequences
from subscriber.destination import Destination, Does
from subscriber.episodes import Bad, Episode
from subscriber.look import Look
from subscriber.rules import Override, Rule
from subscriber.run import Answer, Level, Outcome, Result, RunDetails, Status, Step
from subscriber.states import State
from tests.builders import NOW, a_result, an_event
from tests.fakes import FakeAlerts, FakeReports
from tests.subscriber.story import PAGE, REFRESH, Story, a_rule
from tests.subscriber.test_episodes import an_open

FAILED, SUCCEEDED = Outcome.FAILED, Outcome.SUCCEEDED
JOB = ("oncall", "job/7")
WARN = a_rule("warnings page", "oncall", outcome=["failed", "warned"])


def following(
    outcome: Outcome,
    *rules: Rule,
    answer: Answer | None = None,
    state: State | None = None,
    overrides: tuple[Override, ...] = (),
    is_late: bool = False,
    **told: Any,
) -> Consequences:
    configuration = Story(rules=rules or (PAGE, REFRESH), overrides=overrides).configuration
    look = Look(
        configuration,
        configuration.rules,
        an_event(**told),
        outcome,
        answer or Answer(),
        (),
        NOW,
        is_late=is_late,
    )
    return consequences(look, state or State())


def failing(*names: str, **fields: Any) -> Answer:
    return Answer(results=tuple(a_result(f"model.shop.{name}", **fields) for name in names))


def good(*names: str) -> tuple[Result, ...]:
    return tuple(
        a_result(f"model.shop.{name}", status=Status.GOOD, said="success") for name in names
    )


def one(follows: Consequences) -> Action:
    (action,) = follows.actions
    return action


def opened(*names: str, **fields: Any) -> Episode:
    nodes = {f"model.shop.{name}": Bad(95, a_fingerprint()) for name in names}
    return an_open(**{"latest_run": 95, "opening_run": "90", "nodes": nodes, **fields})


def a_fingerprint() -> str:
    """Of the error of those who have none."""
    return following(FAILED, answer=failing("x")).state.episodes[JOB].nodes["model.shop.x"].error


def test_a_failure_opens_an_alert_and_is_remembered() -> None:
    follows = following(FAILED, answer=failing("orders"))

    action = one(follows)
    assert action.verb is Verb.OPEN
    assert action.destination == "oncall"
    assert action.key == "1/oncall/job/7/100/open/1"
    assert action.episode_key == "afterrun/1/job/7/100"
    assert action.after is None
    assert [node.name for node in action.message.nodes] == ["orders"]
    assert follows.state.newest_run == 100
    assert follows.state.episodes[JOB].latest_action == action.key
    assert follows.reasons == {"oncall": "the problem is new (rule: failures page)"}
    assert follows.rules == {
        "failures page": "matched",
        "good runs refresh": "the run failed",
    }


def test_a_recovery_closes_that_alert_after_what_was_told_last_and_forgets_it() -> None:
    follows = following(SUCCEEDED, PAGE, state=State(95, {JOB: opened("orders")}))

    action = one(follows)
    assert action.verb is Verb.CLOSE
    assert action.key == "1/oncall/job/7/90/close/1"
    assert action.episode_key == "afterrun/1/job/7/90"
    assert action.after == "1/oncall/job/7/100/open/1"
    assert follows.state == State(100, {})
    assert follows.ended == {"afterrun/1/job/7/90"}


def test_another_failure_updates_the_alert_and_says_what_is_new_still_bad_and_fixed() -> None:
    state = State(95, {JOB: opened("orders", "stock")})
    answer = Answer(results=(*failing("orders", "prices").results, *good("stock")))

    follows = following(FAILED, state=state, answer=answer)

    action = one(follows)
    assert action.verb is Verb.UPDATE
    assert action.key == "1/oncall/job/7/90/update/1"
    assert action.episode_key == "afterrun/1/job/7/90"
    message = action.message
    assert (message.new, message.still, message.fixed) == (("prices",), ("orders",), ("stock",))
    assert message.headline == (
        "Daily build still fails in Production: 1 new (prices), 1 still (orders), 1 fixed (stock)"
    )


def test_updates_of_one_alert_have_keys_of_their_own_and_follow_each_other() -> None:
    first = following(FAILED, state=State(95, {JOB: opened("orders")}), answer=failing("prices"))
    second = following(FAILED, state=first.state, answer=failing("stock"), run_id=101)

    assert one(second).key == "1/oncall/job/7/90/update/2"
    assert one(second).after == one(first).key


def test_the_same_event_again_changes_nothing() -> None:
    once = following(FAILED, answer=failing("orders"))

    again = following(FAILED, answer=failing("orders"), state=once.state)

    assert again.actions == ()
    assert again.state == once.state


@pytest.mark.parametrize("outcome", [FAILED, SUCCEEDED])
def test_an_older_run_changes_nothing(outcome: Outcome) -> None:
    state = State(101, {JOB: opened("orders", latest_run=101)})

    follows = following(outcome, PAGE, state=state, answer=failing("prices"))

    assert follows.actions == ()
    assert follows.state == state


def test_a_cancelled_run_is_not_remembered_as_the_newest() -> None:
    state = State(95, {JOB: opened("orders")})

    assert following(Outcome.CANCELLED, PAGE, state=state).state == state


def test_a_rule_for_certain_nodes_sends_only_those() -> None:
    finance = a_rule("finance", "oncall", outcome="failed", nodes={"tag": "finance"})
    answer = Answer(
        results=(
            a_result("model.shop.orders", tags=("sales",), is_described=True),
            a_result("model.shop.ledger", tags=("finance",), is_described=True),
        )
    )

    follows = following(FAILED, finance, answer=answer)

    assert [node.name for node in one(follows).message.nodes] == ["ledger"]
    assert list(follows.state.episodes[JOB].nodes) == ["model.shop.ledger"]
    assert follows.state.episodes[JOB].by_nodes


def test_two_rules_for_one_destination_are_one_alert_of_what_both_let_through() -> None:
    rules = (
        a_rule("a", "oncall", outcome="failed", nodes={"name": "a"}, alert={"remind": "1h"}),
        a_rule("b", "oncall", outcome="failed", nodes={"name": "b"}, alert={"remind": "2h"}),
    )

    follows = following(FAILED, *rules, answer=failing("a", "b", "c"))

    assert [node.name for node in one(follows).message.nodes] == ["a", "b"]
    alert = follows.state.episodes[JOB].alert
    assert alert.remind is not None
    assert alert.remind.total_seconds() == 3600, "that of the first rule"
    assert follows.reasons == {"oncall": "the problem is new (rule: a, b)"}


def test_per_node_each_node_has_an_alert_of_its_own() -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})

    follows = following(FAILED, rule, answer=failing("a", "b"))

    assert [action.episode_key for action in follows.actions] == [
        "afterrun/1/node/model.shop.a/100",
        "afterrun/1/node/model.shop.b/100",
    ]
    assert [node.name for node in follows.actions[1].message.nodes] == ["b"]


def test_a_node_of_another_job_that_is_executed_and_good_closes_its_alert() -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})
    state = following(FAILED, rule, answer=failing("a", "b")).state

    follows = following(
        SUCCEEDED, rule, state=state, answer=Answer(results=good("a")), job_id=8, run_id=101
    )

    assert one(follows).key == "1/oncall/node/model.shop.a/100/close/1"
    assert set(follows.state.episodes) == {("oncall", "node/model.shop.b")}


def test_a_late_failure_does_not_open_what_a_newer_run_of_another_job_has_proven_good() -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})
    failed = following(FAILED, rule, answer=failing("a"), run_id=100).state
    answer = Answer(results=good("a"))
    closed = following(SUCCEEDED, rule, state=failed, answer=answer, job_id=8, run_id=102).state

    late = following(
        FAILED, rule, state=State(100, {}, closed.fixed), answer=failing("a"), run_id=101
    )
    newer = following(FAILED, rule, state=late.state, answer=failing("a"), run_id=103)

    assert late.actions == ()
    assert one(newer).verb is Verb.OPEN


def test_a_run_whose_alert_another_job_s_run_has_ended_opens_no_second_one() -> None:
    rule = a_rule("mine", "oncall", outcome="failed", nodes={"name": "a"})
    failed = following(FAILED, rule, answer=failing("a"), run_id=100).state
    answer = Answer(results=good("a"))
    closed = following(SUCCEEDED, rule, state=failed, answer=answer, job_id=8, run_id=105).state
    mine = State(100, {}, closed.fixed)

    again = following(FAILED, rule, PAGE, state=mine, answer=failing("a"), run_id=100)
    newer = following(FAILED, rule, PAGE, state=mine, answer=failing("b"), run_id=103)

    assert again.actions == ()
    assert one(newer).key == "1/oncall/job/7/103/open/1"


def test_a_node_that_left_the_project_is_closed_with_that_reason() -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})
    state = following(FAILED, rule, answer=failing("a")).state
    answer = Answer(gone=frozenset({"model.shop.a"}), is_complete=True)

    follows = following(SUCCEEDED, rule, state=state, answer=answer, run_id=101)

    assert one(follows).verb is Verb.CLOSE
    assert one(follows).message.text == "No longer in the project: model.shop.a"


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.UNKNOWN, Status.REUSED])
def test_a_node_that_was_not_executed_keeps_its_alert_open(status: Status) -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})
    state = following(FAILED, rule, answer=failing("a")).state
    answer = Answer(results=(a_result("model.shop.a", status=status),), is_complete=True)

    assert following(SUCCEEDED, rule, state=state, answer=answer, run_id=101).actions == ()


def test_per_node_more_than_twenty_at_once_are_one_alert_of_the_job() -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})
    names = [f"n{i}" for i in range(21)]

    follows = following(FAILED, rule, answer=failing(*names))

    assert one(follows).episode_key == "afterrun/1/job/7/100"
    half = Answer(results=good(*names[:20]))
    partly = following(SUCCEEDED, rule, state=follows.state, answer=half, run_id=101)
    assert one(partly).verb is Verb.UPDATE
    rest = Answer(results=good(names[20]))
    over = following(SUCCEEDED, rule, state=partly.state, answer=rest, run_id=102)
    assert one(over).verb is Verb.CLOSE


def test_per_node_without_nodes_opens_on_the_job_which_its_next_good_run_closes() -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})

    follows = following(FAILED, rule)

    assert one(follows).episode_key == "afterrun/1/job/7/100"
    closed = following(SUCCEEDED, rule, state=follows.state, run_id=101)
    assert one(closed).verb is Verb.CLOSE


def test_per_run_each_run_has_an_alert_and_the_next_good_one_closes_all() -> None:
    rule = a_rule("runs", "oncall", outcome="failed", alert={"per": "run"})
    first = following(FAILED, rule, run_id=100)
    second = following(FAILED, rule, state=first.state, run_id=101)

    closed = following(SUCCEEDED, rule, state=second.state, run_id=102)

    assert one(first).episode_key == "afterrun/1/run/100/100"
    assert one(second).episode_key == "afterrun/1/run/101/101"
    assert [action.verb for action in closed.actions] == [Verb.CLOSE, Verb.CLOSE]


def a_warned() -> Answer:
    warned = a_result("test.shop.fresh.1", status=Status.WARNED, said="warn")
    return Answer(results=(warned,), is_complete=True)


def test_a_warned_run_is_a_problem_to_a_rule_about_warnings_only() -> None:
    assert one(following(SUCCEEDED, WARN, answer=a_warned())).message.level == Level.WARNING
    assert following(SUCCEEDED, PAGE, answer=a_warned()).actions == ()


def test_a_change_of_level_is_an_update() -> None:
    failed = following(FAILED, WARN, answer=failing("a"))

    warned = following(SUCCEEDED, WARN, state=failed.state, answer=a_warned(), run_id=101)

    assert one(warned).verb is Verb.UPDATE
    assert one(warned).message.level == Level.WARNING
    assert one(warned).message.headline.startswith("Daily build still warns in Production: ")


@pytest.mark.parametrize(
    ("answer", "closes"),
    [(Answer(is_complete=True), True), (Answer(), False)],
    ids=["known to be clean", "not known"],
)
def test_only_a_run_known_to_be_clean_closes_an_alert_about_warnings(
    *, answer: Answer, closes: bool
) -> None:
    state = following(SUCCEEDED, WARN, answer=a_warned()).state

    follows = following(SUCCEEDED, WARN, state=state, answer=answer, run_id=101)

    assert bool(follows.actions) is closes


def test_a_run_that_reused_nodes_is_clean() -> None:
    answer = Answer(
        results=(a_result("model.shop.a", status=Status.REUSED, said="reused"),), is_complete=True
    )

    assert answer.warned is False


def test_a_warned_run_closes_an_alert_about_failures() -> None:
    state = following(FAILED, PAGE, answer=failing("a")).state

    follows = following(SUCCEEDED, PAGE, state=state, answer=a_warned(), run_id=101)

    assert one(follows).verb is Verb.CLOSE


def test_a_checkbox_step_that_failed_inside_a_good_run_is_a_warning() -> None:
    step = Step(4, "Invoke dbt with `dbt docs generate`", failed=True, logs="Compilation Error")
    answer = Answer(run=RunDetails(steps=(step,)), is_complete=True)

    follows = following(SUCCEEDED, WARN, answer=answer)

    assert "dbt docs generate" in one(follows).message.text


def test_a_good_run_refreshes_each_destination_once_for_that_run() -> None:
    both = a_rule("both", "report", outcome="succeeded")

    follows = following(SUCCEEDED, REFRESH, both)

    assert one(follows).verb is Verb.REFRESH
    assert one(follows).key == one(follows).episode_key == "1/report/job/7/100/refresh/1"
    assert follows.state == State(100)


def test_a_refresh_on_clean_data_waits_for_proof() -> None:
    rule = a_rule("clean", "report", outcome="clean")

    assert one(following(SUCCEEDED, rule, answer=Answer(is_complete=True))).verb is Verb.REFRESH
    assert following(SUCCEEDED, rule, answer=a_warned()).actions == ()
    assert following(SUCCEEDED, rule).actions == ()


def test_a_good_run_may_close_and_refresh() -> None:
    follows = following(SUCCEEDED, state=State(95, {JOB: opened("orders")}))

    assert [action.verb for action in follows.actions] == [Verb.CLOSE, Verb.REFRESH]


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [
        (Outcome.STARTED, "Daily build started in Production"),
        (Outcome.SUCCEEDED, "Daily build succeeded in Production"),
        (Outcome.CANCELLED, "Daily build was cancelled in Production"),
    ],
)
def test_people_are_told_once_of_what_is_no_problem(outcome: Outcome, headline: str) -> None:
    rule = a_rule("all", "people", outcome=["started", "succeeded", "cancelled"])

    follows = following(outcome, rule)

    assert one(follows).verb is Verb.TELL
    assert one(follows).key == f"1/people/job/7/100/{outcome}/tell/1"
    assert one(follows).message.headline == headline
    assert follows.state.episodes == {}


def test_with_alert_false_people_are_told_of_each_run_and_nothing_is_kept_open() -> None:
    rule = a_rule("each", "people", outcome="failed", alert=False)
    first = following(FAILED, rule, answer=failing("a"))

    second = following(FAILED, rule, answer=failing("a"), state=first.state, run_id=101)

    assert [one(first).verb, one(second).verb] == [Verb.TELL, Verb.TELL]
    assert [node.name for node in one(second).message.nodes] == ["a"]
    assert second.state == State(101)


def test_an_alert_is_closed_though_its_destination_is_not_configured_any_more() -> None:
    follows = following(SUCCEEDED, PAGE, state=State(95, {("gone", "job/7"): opened("a")}))

    assert (one(follows).verb, one(follows).destination) == (Verb.CLOSE, "gone")
    assert follows.state.episodes == {}


def test_an_alert_that_no_rule_asks_for_any_more_stays_open_while_runs_fail() -> None:
    state = State(95, {("gone", "job/7"): opened("a")})

    follows = following(FAILED, REFRESH, state=state, answer=failing("b"))

    assert follows.actions == ()
    assert follows.state.episodes == state.episodes


def test_what_no_rule_asks_for_is_not_done() -> None:
    follows = following(FAILED, a_rule("others", "oncall", outcome="failed", job=8))

    assert follows.actions == ()
    assert follows.state == State(100)
    assert follows.rules == {"others": "another job"}


def test_an_override_sends_what_an_environment_says_elsewhere() -> None:
    override = Override.model_validate({"environment": "prod*", "then": ["people", "report"]})

    failed = following(FAILED, overrides=(override,))
    succeeded = following(SUCCEEDED, overrides=(override,))

    assert [(a.destination, a.verb) for a in failed.actions] == [("people", Verb.OPEN)]
    assert [(a.destination, a.verb) for a in succeeded.actions] == [("report", Verb.REFRESH)]


@pytest.mark.parametrize(("trigger", "count"), [("ci", 0), ("scheduled", 1), ("", 1)])
def test_what_started_the_run_matters_where_it_is_known(trigger: str, count: int) -> None:
    rule = a_rule("no ci", "oncall", outcome="failed", trigger="!ci")

    follows = following(FAILED, rule, answer=Answer(run=RunDetails(trigger=trigger)))

    assert len(follows.actions) == count


@pytest.mark.parametrize(
    ("link", "told", "expected"),
    [
        ("https://ab123.us1.dbt.com/x", {}, "https://ab123.us1.dbt.com/x"),
        ("", {}, "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"),
        ("javascript:alert(1)", {}, "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"),
        ("", {"projectId": None}, ""),
    ],
)
def test_the_link_is_dbt_clouds_or_made_as_its_links_are(
    link: str, told: dict[str, Any], expected: str
) -> None:
    follows = following(FAILED, answer=Answer(run=RunDetails(link=link)), **told)

    assert one(follows).message.link == expected


def test_an_action_is_of_the_time_at_which_the_run_ended() -> None:
    ended = one(following(FAILED)).occurred_at
    told = one(following(FAILED, runFinishedAt=None)).occurred_at

    assert ended.isoformat() == "2026-01-05T11:59:55+00:00"
    assert told.isoformat() == "2026-01-05T11:59:58.123456+00:00"


def test_what_comes_late_opens_and_refreshes_nothing_but_is_counted_and_still_closes() -> None:
    failed = following(FAILED, is_late=True, answer=failing("a"))
    succeeded = following(SUCCEEDED, is_late=True, state=State(95, {JOB: opened("a")}))

    assert failed.actions == ()
    assert failed.state == State(100)
    (line,) = failed.lines
    assert line.destination == "oncall"
    assert "Daily build failed" in line.text
    assert [action.verb for action in succeeded.actions] == [Verb.CLOSE]


def test_errored_without_nodes_and_completed_with_them_leave_one_alert_for_each_problem() -> None:
    per_node = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})
    unknown = following(FAILED, per_node)

    known = following(FAILED, per_node, state=unknown.state, answer=failing("a"))

    assert [action.key for action in known.actions] == [
        "1/oncall/job/7/100/close/1",
        "1/oncall/node/model.shop.a/100/open/1",
    ]
    assert known.actions[0].message.headline == (
        "Daily build failed in Production: it is known now that other nodes failed"
    )


def test_a_team_is_let_go_when_it_turns_out_that_nodes_of_others_failed() -> None:
    finance = a_rule("finance", "oncall", outcome="failed", nodes={"tag": "finance"})
    unknown = following(FAILED, finance)
    others = Answer(results=(a_result("model.shop.a", tags=("sales",), is_described=True),))

    known = following(FAILED, finance, state=unknown.state, answer=others)

    assert one(known).verb is Verb.CLOSE


def test_per_node_what_is_in_the_open_alert_of_another_job_is_not_told_again() -> None:
    rule = a_rule("nodes", "oncall", outcome="failed", alert={"per": "node"})
    names = [f"n{i}" for i in range(21)]
    many = following(FAILED, rule, answer=failing(*names))

    again = following(
        FAILED,
        rule,
        state=State(0, many.state.episodes),
        answer=failing("n1"),
        job_id=8,
        run_id=101,
    )

    assert again.actions == ()
    assert again.state.episodes[JOB].nodes["model.shop.n1"].run == 101


# what is started after a run, and who is told how runs ended


class FakeTriggers(FakeReports):
    does: ClassVar[Does] = Does.TRIGGER


class FakeChanges(FakeAlerts):
    def tells_ends(self) -> bool:
        return True


def following_with(destination: Destination, outcome: Outcome, *rules: Rule) -> Consequences:
    """As `following`, with another destination of that name."""
    configuration = Story(rules=rules).configuration
    known: Any = configuration.destinations
    known[rules[0].then[0]] = destination
    return consequences(Look(configuration, rules, an_event(), outcome, Answer(), (), NOW), State())


@pytest.mark.parametrize("outcome", [FAILED, SUCCEEDED])
def test_what_is_triggered_is_started_once_after_a_run_that_ended_so(outcome: Outcome) -> None:
    rule = a_rule("then the next", "report", outcome=str(outcome))

    action = one(following_with(FakeTriggers(received=None), outcome, rule))

    assert (action.verb, action.destination) == (Verb.REFRESH, "report")
    assert action.message.facts["run_id"] == "100"
    assert action.message.outcome == str(outcome)


def test_a_kind_that_alerts_is_told_how_a_run_ended_only_if_it_wants_to_be() -> None:
    rule = a_rule("changes", "oncall", outcome="succeeded")

    told = one(following_with(FakeChanges(received=None), SUCCEEDED, rule))

    assert (told.verb, told.message.outcome) == (Verb.TELL, "succeeded")
    assert following_with(FakeAlerts(received=None), SUCCEEDED, rule).actions == ()


def test_who_hears_of_a_refresh_is_whom_any_of_its_rules_names() -> None:
    def refreshing(name: str, timeout: str) -> Rule:
        hear = {"on_failure": [name], "timeout": timeout}
        written = {"name": name, "when": {"outcome": "succeeded"}, "refresh": hear}
        return Rule.model_validate({**written, "then": ["report"]})

    action = one(following(SUCCEEDED, refreshing("oncall", "1h"), refreshing("people", "2h")))

    assert action.on_failure == ("oncall", "people")
    assert action.timeout_s == 7_200


def test_under_an_override_those_hear_of_a_refresh_that_it_names() -> None:
    rule = Rule.model_validate(
        {
            "name": "refresh",
            "when": {"outcome": "succeeded"},
            "refresh": {"on_failure": ["oncall"]},
            "then": ["report"],
        }
    )
    override = Override.model_validate({"environment": "*", "then": ["other", "people"]})
    configuration = Story(rules=(rule,), overrides=(override,)).configuration
    known: Any = configuration.destinations
    known["other"] = FakeReports(received=None)

    action = one(
        consequences(
            Look(configuration, (rule,), an_event(), SUCCEEDED, Answer(), (), NOW), State()
        )
    )

    assert action.destination == "other"
    assert action.on_failure == ("people",)
