"""A scene tells one destination one thing, as the service would, or says why it never does."""

import pytest

from cli import example, sample
from cli.render.scene import DEFAULTS, NotTold, Scene
from subscriber import configuration, destinations
from subscriber.actions import Verb
from subscriber.configuration import Configuration
from subscriber.yaml_lines import parse

SLACK = example.load("slack")


def a_scene(name: str, verb: Verb | None = None, found: Configuration = SLACK) -> Scene:
    (destination,) = found.destinations
    return Scene.of(found, destination, name, verb)


@pytest.mark.parametrize("kind", destinations.names())
def test_each_kind_has_something_to_show_without_being_asked(kind: str) -> None:
    found = example.load(kind)
    (name,) = found.destinations

    action = Scene.of(found, name, None, None).action()

    starts = found.destinations[name].does.starts
    assert action.verb is (Verb.REFRESH if starts else Verb.OPEN)
    assert found.destinations[name].shown(action)


@pytest.mark.parametrize("verb", Verb)
def test_each_verb_is_shown_by_the_sample_that_shows_it_best(verb: Verb) -> None:
    found = example.load("mode" if verb is Verb.REFRESH else "slack")
    (name,) = found.destinations

    scene = Scene.of(found, name, None, verb)

    assert scene.sample == DEFAULTS[verb]
    assert scene.action().verb is verb


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("failed-model", "open"),
        ("warned", "open"),
        ("changed", "update"),
        ("recovered", "close"),
        ("succeeded", "tell"),
        ("started", "tell"),
    ],
)
def test_a_sample_is_told_as_what_it_is(name: str, verb: str) -> None:
    assert a_scene(name).action().verb == verb


@pytest.mark.parametrize("verb", [Verb.OPEN, Verb.REMIND, Verb.CLOSE, Verb.TELL])
@pytest.mark.parametrize("name", sample.names())
def test_every_problem_can_be_opened_said_again_and_closed(name: str, verb: Verb) -> None:
    scene = a_scene(name, verb)
    problems = name.startswith(("failed", "freshness")) or name in (
        *("compile-error", "clone-failure", "changed", "warned"),
    )

    if problems:
        assert scene.action().verb is verb
    elif verb in (Verb.OPEN, Verb.REMIND):
        with pytest.raises(NotTold):
            scene.action()


@pytest.mark.parametrize(
    ("kind", "name", "verb", "why"),
    [
        ("mode", "failed-model", Verb.OPEN, "mode is refreshed, and told nothing else"),
        ("dbt_job", "failed-model", Verb.OPEN, "dbt_job is started, and told nothing else"),
        ("slack", "succeeded", Verb.REFRESH, "slack starts nothing"),
        ("pagerduty", "succeeded", Verb.TELL, "pagerduty hears of problems only"),
        ("slack", "succeeded", Verb.OPEN, "the sample succeeded is no problem"),
        ("slack", "cancelled", Verb.CLOSE, "the sample cancelled ends no problem"),
        ("slack", "test-endpoint", Verb.TELL, "its account does not exist"),
        ("mode", "failed-model", Verb.REFRESH, "gives no good data"),
        ("slack", "compile-error", Verb.UPDATE, "the alert is open already"),
    ],
)
def test_what_is_never_told_is_said(kind: str, name: str, verb: Verb, why: str) -> None:
    with pytest.raises(NotTold, match=why):
        a_scene(name, verb, example.load(kind)).action()


def test_what_triggers_may_follow_a_failure() -> None:
    assert a_scene("failed-model", Verb.REFRESH, example.load("dbt_job")).action()


def test_it_is_told_in_the_words_of_the_rule_that_names_it() -> None:
    rules = """
version: 1
dbt_cloud: {token: env:TOKEN, accounts: [12345]}
destinations: {oncall: {kind: pagerduty, routing_key: env:KEY}}
rules:
  - name: one job of another project
    when: {outcome: failed, project: Shop, job: 7, nodes: {tag: none}}
    title: "[{environment}] {job} {state}"
    note: "See the runbook."
    severity: critical
    then: [oncall]
"""
    found = configuration.read(*parse(rules, "rules.yaml"))

    told = Scene.of(found, "oncall", "failed-model", None).action().message

    assert told.headline == "[Production] Nightly build failed"
    assert told.note == "See the runbook."
    assert told.severity == "critical"
