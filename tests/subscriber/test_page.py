"""The page: the same words in the same order, whoever shows them."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.actions import Verb
from subscriber.page import Link, Page, Tone, page
from tests.builders import a_node, a_told, an_action


def a_page(verb: Verb = Verb.OPEN, **told: object) -> Page:
    return page(an_action(verb, message=a_told(**told)))


@pytest.mark.parametrize(
    ("verb", "told", "label", "tone"),
    [
        (Verb.OPEN, {"outcome": "failed"}, "Failed", Tone.FAILURE),
        (Verb.OPEN, {"outcome": "warned", "level": "warning"}, "Warned", Tone.WARNING),
        (Verb.OPEN, {}, "Failed", Tone.FAILURE),
        (Verb.UPDATE, {"outcome": "failed"}, "Still failing", Tone.FAILURE),
        (Verb.UPDATE, {"outcome": "warned", "level": "warning"}, "Still warning", Tone.WARNING),
        (Verb.REMIND, {"outcome": "failed"}, "Still open", Tone.FAILURE),
        (Verb.CLOSE, {"outcome": "recovered"}, "Recovered", Tone.GOOD),
        (Verb.CLOSE, {"outcome": "failed"}, "Closed", Tone.NEUTRAL),
        (Verb.TELL, {"outcome": "succeeded", "level": ""}, "Succeeded", Tone.GOOD),
        (Verb.TELL, {"outcome": "started", "level": ""}, "Started", Tone.NEUTRAL),
        (Verb.TELL, {"outcome": "cancelled", "level": ""}, "Cancelled", Tone.NEUTRAL),
        (Verb.TELL, {"outcome": "digest", "level": ""}, "Digest", Tone.NEUTRAL),
        (Verb.TELL, {"outcome": "failed"}, "Failed", Tone.FAILURE),
        (Verb.TELL, {"outcome": "recovered"}, "Recovered", Tone.GOOD),
    ],
)
def test_it_says_at_once_how_it_stands(
    verb: Verb, told: dict[str, str], label: str, tone: Tone
) -> None:
    made = a_page(verb, **told)

    assert (made.label, made.tone) == (label, tone)


def test_what_is_not_known_is_left_out() -> None:
    made = a_page(facts={"job": "Daily", "branch": ""}, nodes=(a_node(path="", owner=""),))

    assert made.facts == (("Job", "Daily"),)
    assert made.items[0].facts == ()
    assert (made.changes, made.note, made.more, made.left_out) == ((), "", "", "")


def test_a_node_is_told_with_what_is_known_of_it() -> None:
    node = a_node(path="m/o.sql", owner="Ada", group="g", tags=("a", "b"), skipped=("x", "y"))

    (item,) = a_page(nodes=(node,)).items

    assert (item.title, item.status) == ("model orders", "error")
    assert item.facts == (
        ("Path", "m/o.sql"),
        ("Owner", "Ada"),
        ("Group", "g"),
        ("Tags", "a, b"),
        ("Skipped because of it", "x, y"),
    )


def test_ids_that_stand_in_the_links_are_not_shown_to_people() -> None:
    facts = dict(a_page(facts={"job_id": "7", "account_id": "1", "run_id": "100"}).facts)

    assert facts == {"Run": "100"}


@pytest.mark.parametrize(
    "link", ["", "javascript:alert(1)", "/runs/1", "https://x y", "ftp://x", "https://x\u202e"]
)
def test_what_is_no_address_is_no_link(link: str) -> None:
    job = "https://cloud.getdbt.com/jobs/7"

    assert a_page(link=link, job_link=job).links == (Link("Open the job", job),)


def test_a_shorter_form_of_the_message_makes_a_shorter_page() -> None:
    action = an_action(message=a_told(nodes=(a_node(), a_node())))

    made = page(action, a_told(nodes=(), more_nodes=2, left_out="Left out here: 2."))

    assert (made.items, made.more, made.left_out) == ((), "and 2 more", "Left out here: 2.")


NASTY = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["\x00", "a\r\nb", "\x1b[31mred\x1b[0m", "\u202egnp", "\ud800", "password=hunter2"]
)


@given(text=NASTY)
def test_whatever_is_told_is_clean_and_what_has_one_line_has_one(text: str) -> None:
    node = a_node(name=text, kind=text, message=text, path=text, owner=text, tags=(text,))
    told: dict[str, Any] = {
        "headline": text,
        "note": text,
        "text": text,
        "facts": {"job": text},
        "new": (text,),
    }

    made = page(an_action(message=a_told(nodes=(node,), causes=(text,), **told)))

    said = json.dumps(asdict(made), ensure_ascii=False)
    assert not {"\x00", "\x1b", "\u202e", "\ud800"} & set(said)
    assert "hunter2" not in said
    lines = (made.headline, *(v for pair in made.facts for v in pair), made.items[0].title)
    assert not any("\n" in line or "\r" in line for line in lines)
    assert made.headline
