from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.actions import Message, Verb
from subscriber.page import Item, Link, Page, Tone, page
from subscriber.saying import email as saying
from tests.builders import a_node, a_told, an_action

VOID = {"meta", "br", "hr", "img"}
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "div", "p", "h1", "pre", "strong", "span"),
    *("table", "tr", "td", "bdi", "ul", "li", "a"),
}


class Reader(HTMLParser):
    """What a mail program sees: elements, each closed in its turn, and the text in them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def a_page(**fields: Any) -> Page:
    return Page(**{"tone": Tone.FAILURE, "label": "Failed", "headline": "orders failed", **fields})


FULL = a_page(
    note="Call Ada",
    changes=(("New", "customers"), ("Fixed", "items")),
    items=(Item("model orders", "error", "no such\n  column", (("Path", "orders.sql"),)),),
    more="and 3 more",
    lists=(("By owner", ("Ada: 2", "Bob: 1")),),
    text="the end of the log",
    facts=(("Job", "Daily build"),),
    links=(Link("Open the run", "https://x.example/1"),),
    left_out="Left out here: much.",
)
SAID = [
    *("Call Ada", "New", "customers", "Fixed", "items", "model orders", "error", "column", "Path"),
    *("orders.sql", "and 3 more", "By owner", "Ada: 2", "Bob: 1", "the end of the log", "Job"),
    *("Daily build", "Open the run", "Left out here: much.", "orders failed"),
]


@pytest.mark.parametrize("part", SAID)
def test_text_and_html_both_say_all_of_the_page(part: str) -> None:
    assert part in saying.text(FULL)
    assert part in Reader(saying.html(FULL)).text


def test_the_text_is_readable_as_it_is() -> None:
    assert saying.text(FULL) == (
        "FAILED\n"
        "orders failed\n\n"
        "Call Ada\n\n"
        "New: customers\nFixed: items\n\n"
        "Open the run: https://x.example/1\n\n"
        "1. model orders (error)\n   no such\n     column\n   Path: orders.sql\n\n"
        "and 3 more\n\n"
        "By owner\n- Ada: 2\n- Bob: 1\n\n"
        "the end of the log\n\n"
        "Job: Daily build\n\n"
        "Left out here: much.\n\n"
        "-- \nSent by Afterrun.\n"
    )


def test_a_link_leads_where_it_says() -> None:
    links = [told["href"] for tag, told in Reader(saying.html(FULL)).seen if tag == "a"]

    assert links == ["https://x.example/1"]


@pytest.mark.parametrize("page", [a_page(), FULL])
def test_the_html_is_whole_and_brings_nothing_that_runs_or_is_fetched(page: Page) -> None:
    read = Reader(saying.html(page))

    assert read.open == []
    assert {tag for tag, _ in read.seen} <= KNOWN
    assert "url(" not in saying.html(page)
    assert "@import" not in saying.html(page)


OUTSIDE = st.text(max_size=60) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</pre><img src=x onerror=alert(1)>",
        "\"><a href='javascript:alert(1)'>",
        "]]><!-- </style>",
        "&amp;lt;b&gt;",
    ]
)


@given(OUTSIDE)
def test_no_text_from_outside_becomes_an_element(text: str) -> None:
    node = a_node(name=text, message=text, path=text, owner=text, tags=(text,), skipped=(text,))
    told = a_told(
        headline=text, note=text, text=text, nodes=(node,), facts={"job": text}, causes=(text,)
    )

    read = Reader(saying.html(page(an_action(message=told))))

    assert read.open == []
    assert {tag for tag, _ in read.seen} <= KNOWN
    assert not any(name.startswith("on") for _, told in read.seen for name in told)


def test_a_text_that_looks_like_html_is_read_as_it_was_written() -> None:
    nasty = "<b>x</b> & \"y\" 'z' &amp;"

    assert nasty in Reader(saying.html(a_page(text=nasty, headline=nasty))).text


@pytest.mark.parametrize("tone", Tone)
def test_each_tone_has_a_colour_of_its_own_in_light_and_in_dark(tone: Tone) -> None:
    one = saying.html(a_page(tone=tone))
    others = [saying.html(a_page(tone=other)) for other in Tone if other is not tone]

    assert one not in others
    assert "@media (prefers-color-scheme:dark)" in one


def test_a_subject_is_the_headline_cut_so_that_an_answer_fits_too() -> None:
    short = saying.subject(a_page())
    long = saying.subject(a_page(headline="naïve " * 60))

    assert short == "orders failed"
    assert long.endswith("…")
    assert len(saying.subject(a_page(), opened=long)) <= saying.SUBJECT_LIMIT


def test_an_answer_keeps_the_subject_whatever_it_says() -> None:
    closed = page(an_action(Verb.CLOSE, message=Message(headline="recovered", source="x")))

    assert saying.subject(closed, opened="orders failed") == "Re: orders failed"


def test_a_headline_of_several_lines_makes_a_subject_of_one() -> None:
    told = page(an_action(message=a_told(headline="orders\r\nBcc: bob@example.com\n\0failed")))

    assert saying.subject(told) == "orders Bcc: bob@example.com failed"
