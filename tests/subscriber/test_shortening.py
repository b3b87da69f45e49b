"""Shortening: the first form that fits, with what is left out said."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.actions import Message
from subscriber.shortening import fitting, shorter_forms
from tests.builders import a_node, a_told

HUGE = a_told(
    headline="h" * 5_000,
    source="s" * 5_000,
    text="t" * 200_000,
    note="n" * 5_000,
    nodes=tuple(
        a_node(name=f"node_{i}", message="x" * 20_000, path="p" * 3_000) for i in range(99)
    ),
    more_nodes=1_000,
    facts={f"fact {i}": "f" * 9_000 for i in range(99)},
    new=tuple(f"new_{i}" for i in range(500)),
    causes=tuple("c" * 500 for _ in range(500)),
)


def size(message: Message) -> int:
    return len(json.dumps(asdict(message)))


def test_what_fits_is_told_as_it_is() -> None:
    told = a_told()

    assert fitting(told, lambda message: message, lambda _: True) is told


def test_each_form_is_shorter_than_the_one_before_and_says_so() -> None:
    forms = list(shorter_forms(HUGE))

    sizes = [size(form) for form in forms]
    assert sizes == sorted(sizes, reverse=True)
    assert len(forms) > 5
    assert all(form.left_out for form in forms)


@pytest.mark.parametrize("limit", [400_000, 100_000, 28_000, 12_000, 3_000, 1_500])
def test_the_first_form_that_fits_is_taken(limit: int) -> None:
    found = fitting(HUGE, lambda message: message, lambda message: size(message) <= limit)

    assert size(found) <= limit
    # no more than needed is left out: the limit is used, but for a step of the ladder
    assert size(found) > limit / 6


def test_nodes_that_are_not_shown_are_counted() -> None:
    for form in shorter_forms(HUGE):
        assert len(form.nodes) + form.more_nodes == 1_099


def test_it_says_how_many_nodes_and_that_ends_of_errors_are_missing() -> None:
    form = fitting(HUGE, lambda message: message, lambda message: len(message.nodes) == 10)

    assert form.left_out == (
        "Left out here: 1089 of 1099 failed nodes, the ends of long errors, the end of the text. "
        "The run in dbt Cloud has it all."
    )


def test_what_is_short_already_loses_nothing_on_the_ladder_but_all_on_the_last_rung() -> None:
    forms = list(shorter_forms(a_told()))

    assert len(forms) == 1
    assert forms[0].nodes == ()
    assert forms[0].more_nodes == 1
    assert forms[0].headline == a_told().headline


def test_where_nothing_fits_the_shortest_form_is_what_there_is() -> None:
    found = fitting(HUGE, lambda message: message, lambda _: False)

    assert size(found) < 2_500
    assert found.link == HUGE.link


def test_how_urgent_it_is_stays_however_little_is_told() -> None:
    urgent = replace(HUGE, severity="error", severities=("", "critical"), outcome="failed")

    for form in shorter_forms(urgent):
        assert form.severity == "error"
        assert form.severities == ("", "critical")
        assert form.outcome == "failed"


def test_errors_that_were_cut_before_are_said_to_be_on_every_form() -> None:
    cut_before = replace(HUGE, left_out="Left out here: the ends of long errors. See dbt Cloud.")

    forms = list(shorter_forms(cut_before))

    assert all("long errors" in form.left_out for form in forms[:-1])


def test_a_link_that_is_longer_than_anybody_takes_is_left_out() -> None:
    told = replace(HUGE, link="https://x.example/" + "a" * 3_000)

    assert fitting(told, lambda message: message, lambda _: False).link == ""


@given(st.text(max_size=5_000), st.integers(0, 60), st.text(max_size=3_000))
def test_no_form_is_longer_than_the_message(error: str, count: int, text: str) -> None:
    told = a_told(nodes=tuple(a_node(message=error) for _ in range(count)), text=text)

    for form in shorter_forms(told):
        assert size(replace(form, left_out="")) <= size(told)
