"""The card that a page becomes: what Markdown would change shows as it is, and it is always one."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lab import teams_card
from subscriber.page import Item, Link, Page, Tone
from subscriber.saying.teams import Card, OpenUrl, TextBlock, card, escaped, is_https, message

NBSP = "\N{NO-BREAK SPACE}"
RUN = "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"

PAGE = Page(
    tone=Tone.FAILURE,
    label="Failed",
    headline="Daily build failed",
    note="ask Ada",
    changes=(("New", "orders"),),
    items=(Item("model stg_orders", "error", "no such column", (("Path", "models/o.sql"),)),),
    more="and 7 more",
    lists=(("By cause", ("no such column: 2 of 8", "time-out: 6 of 8")),),
    text="the end of the log",
    facts=(("Job", "Daily build"),),
    links=(Link("Open the run", RUN),),
    left_out="Left out here: 7 of 8 failed nodes.",
)


def body(**changed: Any) -> list[Any]:
    found: list[Any] = card(replace(PAGE, **changed)).as_json()["body"]
    return found


def texts(**changed: Any) -> list[str]:
    return [part["text"] for part in body(**changed) if part["type"] == "TextBlock"]


def facts(**changed: Any) -> list[tuple[str, str]]:
    sets = [part["facts"] for part in body(**changed) if part["type"] == "FactSet"]
    return [(fact["title"], fact["value"]) for each in sets for fact in each]


def test_a_card_says_all_of_the_page_in_its_order() -> None:
    assert texts() == [
        "Failed",
        "Daily build failed",
        "ask Ada",
        "no such column",
        "and 7 more",
        "By cause",
        "no such column: 2 of 8\n\ntime-out: 6 of 8",
        "the end of the log",
        "Left out here: 7 of 8 failed nodes.",
    ]
    assert facts() == [
        ("New", "orders"),
        ("Error", "model stg_orders"),
        ("Path", "models/o.sql"),
        ("Job", "Daily build"),
    ]


def test_the_smallest_page_is_a_label_and_a_headline() -> None:
    shown = card(Page(Tone.NEUTRAL, "Afterrun", "something happened")).as_json()

    assert [part["text"] for part in shown["body"]] == ["Afterrun", "something happened"]
    assert "actions" not in shown


@pytest.mark.parametrize(
    ("tone", "colour"),
    [
        (Tone.FAILURE, "Attention"),
        (Tone.WARNING, "Warning"),
        (Tone.GOOD, "Good"),
        (Tone.NEUTRAL, "Default"),
    ],
)
def test_the_headline_has_the_colour_of_its_tone(tone: Tone, colour: str) -> None:
    label, headline, *_ = body(tone=tone)

    assert (label["color"], headline["color"]) == (colour, colour)


def test_every_text_wraps() -> None:
    blocks = [part for part in body() if part["type"] == "TextBlock"]

    assert {part["wrap"] for part in blocks} == {True}


def test_an_error_is_in_letters_of_one_width() -> None:
    (error,) = [part for part in body() if part.get("text") == "no such column"]

    assert error["fontType"] == "Monospace"


def test_a_node_without_a_status_has_its_name_all_the_same() -> None:
    assert ("Node", "model orders") in facts(items=(Item("model orders", ""),))


def test_links_are_buttons() -> None:
    assert card(PAGE).as_json()["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open the run", "url": RUN}
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/deploy/1",
        "http://cloud.getdbt.com",
        "javascript:alert(1)",
        "https://",
        "https://[",
        "https://a b.example",
        "https://x.example/\N{RIGHT-TO-LEFT OVERRIDE}",
        "https://x.example/\x00",
    ],
)
def test_a_link_that_would_break_the_card_is_left_out(url: str) -> None:
    links = (Link("Open the run", RUN), Link("Open the job", url))

    shown = card(replace(PAGE, links=links)).as_json()

    assert [action["url"] for action in shown["actions"]] == [RUN]
    assert not is_https(url)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*bold* **bold**", r"\*bold\* \*\*bold\*\*"),
        ("_it_ stg_orders", r"\_it\_ stg\_orders"),
        ("[a](http://x)", r"\[a\](http://x)"),
        ("`code` ```block```", r"\`code\` \`\`\`block\`\`\`"),
        ("~~gone~~", r"\~\~gone\~\~"),
        (r"C:\new\*", r"C:\\new\\\*"),
        ("# heading", r"\# heading"),
        ("a # b", "a # b"),
        ("> quoted", r"\> quoted"),
        ("a > b", "a > b"),
        ("- item", r"\- item"),
        ("+ item", r"\+ item"),
        ("--flag", r"\--flag"),
        ("no-such", "no-such"),
        ("1. item", r"1\. item"),
        ("1) item", r"1\) item"),
        ("1.5 rows", r"1\.5 rows"),
        ("100 rows", "100 rows"),
        ("  - item", NBSP * 2 + r"\- item"),
        ("a\nb", "a\n\nb"),
        ("a\n\n \n\nb", "a\n\nb"),
        ("a\n  # b", "a\n\n" + NBSP * 2 + r"\# b"),
        ("a\n" + " " * 100 + "b", "a\n\n" + NBSP * 40 + "b"),
        ("<b>x</b> & <!channel>", "<b>x</b> & <!channel>"),
    ],
)
def test_text_is_shown_as_it_is_and_not_as_markdown(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("stg_orders_2", "stg_orders_2"),
        ("_it_ __init__", r"\_it\_ \_\_init\_\_"),
        ("naïve_ö", "naïve_ö"),
        ("[a](http://x) *b*", r"\[a\](http://x) \*b\*"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("!ci", "!ci"),
    ],
)
def test_a_name_among_the_facts_is_changed_only_where_it_would_be_markdown(
    text: str, shown: str
) -> None:
    assert facts(facts=((text, text),), items=(), changes=()) == [(shown, shown)]


@given(st.text(max_size=60))
def test_no_mark_is_left_without_a_backslash(text: str) -> None:
    # what stands behind an escaped mark is not at the beginning of its line
    unescaped = re.sub(r"\\.", "x", escaped(text), flags=re.DOTALL)

    assert not re.search(r"[*_\[\]`~\\]", unescaped)
    assert not re.search(r"(?m)^\s*([#>+-]|\d{1,9}[.)])", unescaped)


@given(st.text(max_size=60))
def test_what_is_escaped_reads_as_before(text: str) -> None:
    read = re.sub(r"\\(.)", r"\1", escaped(text))

    assert "".join(read.split()) == "".join(text.split())


PAIRS = st.lists(st.tuples(st.text(min_size=1, max_size=9), st.text(max_size=9)), max_size=2)


@given(
    headline=st.text(min_size=1, max_size=30).filter(str.strip),
    text=st.text(max_size=30).map(str.strip),
    pairs=PAIRS.map(tuple),
    url=st.sampled_from([RUN, "", "http://x", "https://[", "https://x.example/ä"]) | st.text(),
)
def test_whatever_the_page_it_becomes_a_card_that_is_posted(
    headline: str, text: str, pairs: tuple[tuple[str, str], ...], url: str
) -> None:
    page = Page(
        Tone.WARNING,
        "Warned",
        headline,
        note=text,
        changes=pairs,
        items=(Item(headline, text, text, pairs),),
        text=text,
        facts=pairs,
        links=(Link("Open", url),),
    )

    told = json.loads(json.dumps(message(card(page))))

    assert list(teams_card.errors_in_message(told)) == []


def test_a_part_that_we_do_not_use_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        TextBlock(text="x", colour="red")  # type: ignore[call-arg]


def test_a_card_that_teams_would_not_show_cannot_be_made() -> None:
    with pytest.raises(ValidationError):
        Card(body=())
    with pytest.raises(ValidationError):
        TextBlock(text="")
    with pytest.raises(ValidationError, match="not an absolute https URL"):
        OpenUrl(title="Open", url="/deploy/1")
