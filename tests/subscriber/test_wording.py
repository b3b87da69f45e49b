"""Wording: the words of rules over whatever is told, from the first failure to its end."""

import itertools
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.actions import Action, Message, Verb
from subscriber.destination import Does
from subscriber.episodes import Bad
from subscriber.ledger.contract import Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Refused, UnknownOutcome
from subscriber.rules import Override, Rule
from subscriber.run import SEVERITIES, Answer, RunDetails, Status
from subscriber.states import WORDS_LIMIT_BYTES, State
from subscriber.superseding import as_it_goes_out
from subscriber.templates import FIELDS
from subscriber.wording import plain, worded
from subscriber.words import NO_WORDS, Words
from tests.builders import NOW, a_node, a_result, a_told, an_action
from tests.subscriber.runs import ITEMS, ORDERS, STOCK, Runs, silenced
from tests.subscriber.story import Story, a_rule
from tests.subscriber.test_episodes import an_open

DAY, MINUTE = 86_400, 60
TITLE = "[{environment}] {job}: {nodes}"
NOTE = "Runbook: https://wiki.example/runbooks/{job_id}. Ask in #finance-data."
NOTED = "Runbook: https://wiki.example/runbooks/7. Ask in #finance-data."
LATER = (Verb.UPDATE, Verb.REMIND, Verb.CLOSE)


def a_story(
    *rules: Rule, title: str = TITLE, alert: object = None, **when: Any
) -> tuple[Story, Runs]:
    words = {"title": title, "note": NOTE, "severity": "critical"}
    asked = {"alert": alert or {}, "words": words, "outcome": "failed", **when}
    story = Story(rules=rules or (a_rule("page", "oncall", **asked),))
    return story, Runs(story)


def titles(story: Story) -> list[str]:
    return [f"{action.verb}: {action.message.headline}" for action in story.alerts.actions]


def notes(story: Story) -> set[str]:
    return {action.message.note for action in story.alerts.actions}


def a_titled(title: str, verb: Verb = Verb.OPEN, **told: Any) -> str:
    return worded(a_told(**{"outcome": "failed", **told}), verb, Words(title)).headline


# one problem, from its first run to its end


def test_all_that_is_told_of_a_problem_has_the_title_and_the_note_of_its_rule() -> None:
    story, runs = a_story(alert={"remind": "24h"})

    runs.fails(100, ORDERS)
    runs.fails(101, ORDERS)
    runs.fails(102, ITEMS)
    story.ticks(DAY)
    story.ticks(DAY)
    runs.succeeds(103)

    assert titles(story) == [
        "open: [Production] Daily build: orders",
        "update: Still failing: [Production] Daily build: items, orders",
        "remind: Still open: [Production] Daily build: items, orders",
        "remind: Still open: [Production] Daily build: items, orders",
        "close: Recovered: [Production] Daily build: orders, items",
    ]
    assert notes(story) == {NOTED}
    assert {action.message.severity for action in story.alerts.actions} == {"critical"}


def test_a_title_that_says_what_has_become_of_it_has_nothing_in_front() -> None:
    story, runs = a_story(title="{job} {state}: {nodes}", alert={"remind": "24h"})

    runs.fails(100, ORDERS)
    runs.fails(101, ITEMS)
    story.ticks(DAY)
    runs.succeeds(102)

    assert titles(story) == [
        "open: Daily build failed: orders",
        "update: Daily build still failing: items, orders",
        "remind: Daily build still open: items, orders",
        "close: Daily build recovered: orders, items",
    ]


def test_the_headline_in_a_title_is_what_would_stand_there_without_one() -> None:
    story, runs = a_story(title="{headline} (finance)", alert={"remind": "24h"})
    bare, others = a_story(a_rule("page", "oncall", outcome="failed", alert={"remind": "24h"}))

    for each, at in ((runs, story), (others, bare)):
        each.fails(100, ORDERS)
        at.ticks(DAY)
        at.ticks(DAY)
        each.fails(101, ORDERS, ITEMS)
        at.ticks(DAY)
        each.succeeds(102)

    assert titles(story) == [f"{each} (finance)" for each in titles(bare)]
    assert [action.message.untitled for action in story.alerts.actions] == [
        action.message.headline for action in bare.alerts.actions
    ]


def test_warnings_are_said_to_be_warnings() -> None:
    story, runs = a_story(title="{job} {state}", outcome=["failed", "warned"])

    runs.fails(100, ORDERS)
    answer = Answer(results=(a_result(ORDERS, status=Status.WARNED),), is_complete=True)
    runs.comes(101, answer, status="Success", code=10)

    assert titles(story)[1:] == ["update: Daily build still warning"]


def test_the_end_is_told_in_the_words_of_the_rule_though_the_configuration_has_changed() -> None:
    story, runs = a_story(title="{job} {state}")
    runs.fails(100, ORDERS)
    changed = Story(
        rules=(a_rule("page", "oncall", outcome="failed"),),
        ledger=story.ledger,
        clock=story.clock,
        alerts=story.alerts,
    )

    Runs(changed, told=10).succeeds(101)

    assert titles(story)[1:] == ["close: Daily build recovered"]
    assert notes(story) == {NOTED}


def test_the_words_that_hold_are_those_that_the_rules_had_for_the_latest_bad_run() -> None:
    story, runs = a_story(title="old: {job} {state}")
    runs.fails(100, ORDERS)
    rule = a_rule("page", "oncall", outcome="failed", words={"title": "new: {job} {state}"})
    changed = Story(rules=(rule,), ledger=story.ledger, clock=story.clock, alerts=story.alerts)

    runs = Runs(changed, told=10)
    runs.fails(101, ORDERS)
    runs.succeeds(102)

    assert titles(story)[1:] == ["close: new: Daily build recovered"]


def test_what_was_held_back_is_told_with_the_nodes_that_are_left() -> None:
    story, runs = a_story(alert={"after": {"minutes": 10}}, nodes={"name": "*"})

    runs.fails(100, ORDERS, ITEMS)
    runs.succeeds(101, ITEMS)
    story.ticks(10 * MINUTE)

    assert titles(story) == ["open: [Production] Daily build: orders"]
    (opened,) = story.alerts.actions
    assert opened.message.untitled.endswith("(recovered since: items)")
    assert opened.message.note == NOTED


def test_what_a_silence_held_back_is_titled_when_it_is_over() -> None:
    story, runs = a_story()
    runs.fails(100, ORDERS)
    silenced(story, destination="oncall")
    runs.fails(101, ITEMS)

    story.ticks(61 * MINUTE)

    assert titles(story)[1:] == ["update: Still failing: [Production] Daily build: items, orders"]


def test_some_nodes_recovering_is_an_update_with_those_that_are_left() -> None:
    story, runs = a_story(title="{job}: {nodes} {error}", nodes={"name": "*"})

    runs.fails(100, ORDERS, ITEMS)
    runs.succeeds(101, ITEMS)

    assert titles(story)[1:] == ["update: Still failing: Daily build: orders no such column"]
    told = story.alerts.actions[-1].message
    assert told.untitled == "Daily build in Production: 1 fixed (items), 1 still bad (orders)"
    assert (told.note, told.severity, told.outcome) == (NOTED, "critical", "failed")


def test_what_is_said_of_the_time_is_of_now_though_the_rest_is_of_before() -> None:
    story, runs = a_story(
        title="{nodes} {state} {open_for}", alert={"remind": "24h"}, nodes={"name": "*"}
    )

    runs.fails(100, ORDERS, ITEMS)
    story.ticks(DAY)
    story.clock.passes(60 * MINUTE)
    runs.succeeds(101, ITEMS)

    assert titles(story)[1:] == [
        "remind: orders, items still open 1 d",
        "update: orders still failing 1 d 1 h",
    ]


def test_a_reminder_of_which_nothing_but_the_episode_is_left_has_its_words() -> None:
    class Forgetful(MemoryLedger):
        def work(self, key: str) -> Work | None:
            return None if key.endswith("/open/1") else super().work(key)

    story, runs = a_story(alert={"remind": "24h"})
    story.ledger = Forgetful()
    runs.fails(100, ORDERS)

    story.ticks(DAY)

    assert titles(story)[1:] == ["remind: Still open: [Production] Daily build: orders"]
    assert notes(story) == {NOTED}


def test_an_end_that_is_no_recovery_is_not_called_one() -> None:
    story, runs = a_story(title="{job} {outcome}", nodes={"tag": "finance"})
    runs.fails(100)
    other = a_result(ORDERS, tags=("sales",), is_described=True)

    runs.comes(100, Answer(results=(other,)))

    assert titles(story) == ["open: Daily build failed", "close: Closed: Daily build failed"]


def test_an_open_that_was_refused_but_may_have_arrived_is_closed_in_its_words() -> None:
    story, runs = a_story()
    story.alerts.failures = [UnknownOutcome("lost"), Refused("refused", 400)]
    runs.fails(100, ORDERS)
    story.ticks(60)
    runs.fails(101, ITEMS)
    for _ in range(3):
        story.ticks(60)

    assert sorted(titles(story)) == [
        "close: Closed: [Production] Daily build: orders",
        "open: [Production] Daily build: items",
    ]
    assert all(
        action.message.untitled.startswith("Daily build failed in Production: ")
        for action in story.alerts.actions
    )


def test_each_alert_of_a_node_names_it() -> None:
    story, runs = a_story(title="{node}: {error}", alert={"per": "node"})

    runs.fails(100, ORDERS, ITEMS)
    runs.succeeds(101, ORDERS)

    assert titles(story) == [
        "open: items: no such column",
        "open: orders: no such column",
        "close: Recovered: orders:",
    ]


# what is told once


def test_people_who_are_told_each_run_are_told_it_in_the_words_of_their_rule() -> None:
    words = {"title": "{job} {state} ({run_id})", "note": "{branch}", "severity": "info"}
    asked = ["failed", "succeeded", "started", "cancelled"]
    story = Story(rules=(a_rule("all", "people", outcome=asked, alert=False, words=words),))
    runs = Runs(story)

    runs.comes(100, Answer(), status="Running", code=3, event_type="job.run.started")
    runs.comes(100, Answer(run=RunDetails(git_branch="main"), results=(a_result(ORDERS),)))
    runs.succeeds(101)
    runs.is_cancelled(102)

    told = [(a.verb, a.message.headline, a.message.note) for a in story.people.actions]
    assert told == [
        (Verb.TELL, "Daily build started (100)", ""),
        (Verb.TELL, "Daily build failed (100)", "main"),
        (Verb.TELL, "Daily build succeeded (101)", ""),
        (Verb.TELL, "Daily build cancelled (102)", ""),
    ]
    assert {action.message.severity for action in story.people.actions} == {"info"}


def test_a_refresh_has_no_words_of_a_rule() -> None:
    rules = (
        a_rule("told", "people", outcome="succeeded", words={"title": "x"}),
        a_rule("refreshed", "report", outcome="succeeded"),
    )
    story = Story(rules=rules)

    Runs(story).succeeds(100)

    told, started = story.people.actions[0], story.reports.actions[0]
    assert told.message.headline == "x"
    assert started.message.headline == "Daily build succeeded in Production"


def test_a_digest_has_the_plain_headlines() -> None:
    story, runs = a_story(alert={"after": {"runs": 1}}, title="x")
    silenced(story, destination="oncall")
    runs.fails(100, ORDERS)
    runs.succeeds(101)

    story.ticks(61 * MINUTE)

    (told,) = story.alerts.actions
    assert told.message.text == "Daily build recovered in Production after 1 bad run"
    assert (told.message.note, told.message.untitled) == ("", "")


def test_a_failure_and_its_recovery_told_at_once_are_a_recovery() -> None:
    opening = an_action(Verb.OPEN, message=worded(a_told(), Verb.OPEN, Words("{job}!")))
    closing = an_action(
        Verb.CLOSE,
        message=worded(a_told(outcome="recovered", nodes=()), Verb.CLOSE, Words("{job}!")),
    )
    other = replace(opening.work(NOW), result={"outcome": "superseded"})

    told = as_it_goes_out(closing, other, Does.TELL)

    assert told is not None
    assert told.message.headline == "Recovered: Daily build!"
    assert told.message.text == "Daily build!"


# several rules


FIRST = {"note": "first note", "severity": "warning"}
SECOND = {"title": "second: {nodes}", "note": "second note", "severity": "critical"}
THIRD = {"title": "third"}


def three_rules(destination: str, alert: object) -> tuple[Rule, ...]:
    """Of the nodes orders, items, and all."""
    asked: dict[str, Any] = {"outcome": "failed", "alert": alert}
    return (
        a_rule("1", destination, words=FIRST, nodes={"name": "orders"}, **asked),
        a_rule("2", destination, words=SECOND, nodes={"name": "items"}, **asked),
        a_rule("3", destination, words=THIRD, nodes={"name": "*"}, **asked),
    )


def test_the_first_title_the_first_note_and_the_worst_severity_of_the_rules_hold() -> None:
    story = Story(rules=three_rules("oncall", alert={}))
    Runs(story).fails(100, ORDERS, ITEMS)

    (told,) = [action.message for action in story.alerts.actions]

    assert told.headline == "second: orders, items"
    assert (told.note, told.severity) == ("first note", "critical")


def test_so_they_do_where_each_run_is_told_by_itself() -> None:
    story = Story(rules=three_rules("people", alert=False))
    Runs(story).fails(100, ORDERS, ITEMS)

    (told,) = [action.message for action in story.people.actions]

    assert told.headline == "second: orders, items"
    assert (told.note, told.severity) == ("first note", "critical")


def test_a_rule_that_does_not_match_says_nothing() -> None:
    story = Story(rules=three_rules("oncall", alert={}))

    Runs(story).fails(100, STOCK)

    (told,) = [action.message for action in story.alerts.actions]
    assert (told.headline, told.note, told.severity) == ("third", "", "")


def test_each_destination_has_the_words_of_its_own_rules() -> None:
    rules = (
        a_rule("a", "oncall", outcome="failed", words={"title": "for oncall"}),
        a_rule("b", "people", outcome="failed", words={"note": "for people"}),
    )
    story = Story(rules=rules)

    Runs(story).fails(100, ORDERS)

    (paged,), (told,) = story.alerts.actions, story.people.actions
    assert (paged.message.headline, paged.message.note) == ("for oncall", "")
    assert told.message.headline.startswith("Daily build failed in Production: ")
    assert told.message.note == "for people"


def test_the_words_go_where_an_override_sends_what_the_rule_tells() -> None:
    override = Override.model_validate({"environment": "Production", "then": ["people"]})
    story, _ = a_story()
    story.overrides = (override,)

    Runs(story).fails(100, ORDERS)

    (told,) = story.people.actions
    assert told.message.headline == "[Production] Daily build: orders"


words = st.builds(
    Words,
    title=st.sampled_from(["", "a", "b"]),
    note=st.sampled_from(["", "c"]),
    severity=st.sampled_from(["", *SEVERITIES]),
)


@given(words, words, words)
def test_words_may_be_joined_in_any_grouping(one: Words, two: Words, three: Words) -> None:
    assert one.joined(two).joined(three) == one.joined(two.joined(three))
    assert one.joined(NO_WORDS) == NO_WORDS.joined(one) == one.joined(one) == one


# what stands in front


@pytest.mark.parametrize(
    ("verb", "told", "begins"),
    [
        (Verb.OPEN, {}, ""),
        (Verb.TELL, {"outcome": "recovered"}, ""),
        (Verb.UPDATE, {}, "Still failing: "),
        (Verb.UPDATE, {"level": "warning", "outcome": "warned"}, "Still warning: "),
        (Verb.REMIND, {}, "Still open: "),
        (Verb.CLOSE, {"outcome": "recovered"}, "Recovered: "),
        (Verb.CLOSE, {"outcome": "failed"}, "Closed: "),
    ],
)
def test_nobody_reads_what_lasts_or_is_over_as_a_new_failure(
    verb: Verb, told: dict[str, str], begins: str
) -> None:
    assert a_titled("{job}!", verb, **told) == f"{begins}Daily build!"
    state = begins.removesuffix(": ").lower() or told.get("outcome", "failed")
    assert a_titled("{job} {state}", verb, **told) == f"Daily build {state}"
    assert a_titled("{headline}!", verb, **told) == f"{a_told().headline}!"


@pytest.mark.parametrize(
    ("verb", "outcome", "expected"),
    [
        (Verb.CLOSE, "recovered", "Daily build recovered"),
        (Verb.CLOSE, "failed", "Closed: Daily build failed"),
        (Verb.UPDATE, "failed", "Still failing: Daily build failed"),
        (Verb.REMIND, "failed", "Still open: Daily build failed"),
    ],
)
def test_the_outcome_says_it_only_where_it_is_what_has_become_of_it(
    verb: Verb, outcome: str, expected: str
) -> None:
    assert a_titled("{job} {outcome}", verb, outcome=outcome) == expected


def test_two_braces_around_state_say_nothing() -> None:
    assert a_titled("{{state}}", Verb.REMIND) == "Still open: {state}"


@pytest.mark.parametrize("verb", LATER)
def test_a_title_of_which_nothing_is_known_leaves_the_headline(verb: Verb) -> None:
    told = worded(a_told(outcome="failed"), verb, Words("{branch}", "{branch}"))

    assert told == a_told(outcome="failed")


@given(st.sampled_from([*LATER, Verb.OPEN, Verb.TELL]), st.text(min_size=1, max_size=20), words)
def test_the_words_can_be_taken_off_again(verb: Verb, headline: str, said: Words) -> None:
    told = a_told(headline=headline, outcome="failed")

    assert plain(worded(told, verb, said)) == told
    assert plain(told) == told


# the fields


KNOWN = a_told(
    outcome="failed",
    headline="Daily build still fails in Production: 1 new (orders), 1 still (items)",
    since="2026-01-05T11:50:00+00:00",
    job_link="https://cloud.getdbt.com/deploy/1/projects/9/jobs/7",
    nodes=(
        a_node(owner="Ada <ada@shop.example>"),
        a_node(unique_id="model.shop.items", name="items"),
    ),
    facts={
        "account_id": "1",
        "project": "Shop",
        "environment": "Production",
        "job": "Daily build",
        "job_id": "7",
        "run_id": "100",
        "trigger": "scheduled",
        "branch": "main",
        "commit": "9f3c1d2",
        "open_for": "2 h 10 min",
    },
)
PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_its_page_shows_each_field_with_what_would_stand_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `\{(\w+)\}` \|.*\| `(.*)` \|$", page, re.MULTILINE))

    assert tuple(shown) == FIELDS
    for name, example in shown.items():
        assert a_filled(f"{{{name}}}", KNOWN) == example


def a_filled(template: str, told: Message) -> str:
    return worded(told, Verb.UPDATE, Words(note=template)).note


def test_of_a_bare_message_all_but_the_job_may_be_unknown() -> None:
    bare = Message(headline="x", source="y", facts={"job_id": "7"}, outcome="failed")
    known = {"headline", "job", "job_id", "outcome", "state"}

    for name in FIELDS:
        assert bool(a_filled(f"{{{name}}}", bare)) is (name in known), name
    assert a_filled("{job}", bare) == "dbt job 7"


def test_what_is_over_names_the_nodes_that_it_was_about() -> None:
    nodes = {f"model.shop.m{n}": Bad(100, "") for n in range(7)}
    episode = an_open(nodes=nodes, more_nodes=3)

    told = worded(a_told(nodes=()), Verb.CLOSE, Words(note="{nodes} / {node}"), episode)

    assert told.note == "m0, m1, m2, m3, m4 and 5 more / m0"


def test_what_has_recovered_since_is_not_named() -> None:
    episode = an_open(nodes={"model.shop.items": Bad(100, "")})
    template = Words(note="{nodes} / {node} / {error}")

    told = worded(KNOWN, Verb.REMIND, template, episode)

    assert told.note == "items / items / no such column"
    assert worded(a_told(), Verb.REMIND, template, episode).note == "items / items /"


def test_an_open_names_the_nodes_of_its_run_as_the_headline_does() -> None:
    story, runs = a_story(alert={"after": {"runs": 2}})

    runs.fails(100, ORDERS)
    runs.fails(101, ITEMS)

    assert titles(story) == ["open: [Production] Daily build: items"]


def test_where_no_node_is_known_the_error_is_what_the_log_says_first() -> None:
    text = "Clone git repository:\n  fatal: could not read from remote\nNot all is known: x."

    assert a_filled("{error}", a_told(nodes=(), text=text)) == "fatal: could not read from remote"
    assert (
        a_filled("{error}", a_told(nodes=(), text="Not all is known: x.\nNot all is known: y."))
        == ""
    )


NASTY = [
    "<!channel> `x` <b>",
    "{headline}{{",
    "\x00\x1b[31m",
    "a" * 100_000,
    "👩‍👩‍👧" * 90,
    "\u202eabc",
]


@pytest.mark.parametrize(("nasty", "verb"), list(itertools.product(NASTY, Verb)))
def test_whatever_dbt_says_what_is_told_is_bounded_and_says_what_has_become_of_it(
    nasty: str, verb: Verb
) -> None:
    told = replace(
        a_told(headline=nasty, nodes=(a_node(name=nasty, message=nasty, owner=nasty),)),
        facts={"job": nasty, "environment": nasty},
        outcome="failed",
    )
    everything = " ".join(f"{{{name}}}" for name in FIELDS)

    filled = worded(told, verb, Words("{job}: {error} {state}", everything, "info"))

    assert len(filled.headline) <= 300
    assert len(filled.note) <= 2_000
    if verb in LATER:
        assert filled.headline.endswith(("still failing", "still open", "closed"))
    Action.from_body(json.loads(json.dumps(an_action(verb, message=filled).body())))


# what the ledger keeps


def back(state: State) -> State:
    job, environment = json.loads(json.dumps(state.bodies()))
    return State.read(job, environment)


def test_the_words_of_an_episode_are_kept_once_though_many_have_them() -> None:
    said = Words("t" * 200, "n" * 1_000, "info")
    many = State(1, {("oncall", f"run/{n}"): an_open(words=said) for n in range(100)})

    job, _ = many.bodies()

    assert back(many) == many
    assert json.dumps(job).count(said.note) == 1


def test_more_words_than_fit_are_left_out_and_the_episodes_stay() -> None:
    said = [Words(note="🧨" * 998 + str(n)) for n in range(100)]
    many = State(1, {("oncall", f"run/{n}"): an_open(words=each) for n, each in enumerate(said)})

    job, _ = many.bodies()
    kept = back(many).episodes

    assert len(json.dumps(job["words"])) <= WORDS_LIMIT_BYTES + 2 * len(job["words"])
    assert len(kept) == 100
    assert 5 < sum(each.words != NO_WORDS for each in kept.values()) < 100
    assert all(each.words in (NO_WORDS, many.episodes[slot].words) for slot, each in kept.items())


def test_what_a_reminder_shows_of_the_time_is_that_of_the_reminder() -> None:
    story, runs = a_story(title="{job} open for {open_for} since {since}", alert={"remind": "24h"})
    since = f"{NOW:%Y-%m-%d %H:%M} UTC"

    runs.fails(100, ORDERS)
    story.clock.now += timedelta(hours=2)
    runs.fails(101, ITEMS)
    story.ticks(DAY)
    story.ticks(DAY)

    assert titles(story) == [
        f"open: Daily build open for since {since}",
        f"update: Still failing: Daily build open for 2 h since {since}",
        f"remind: Still open: Daily build open for 1 d 2 h since {since}",
        f"remind: Still open: Daily build open for 2 d 2 h since {since}",
    ]
