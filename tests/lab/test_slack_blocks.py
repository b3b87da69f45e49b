from typing import Any

import pytest

from lab import slack_blocks

PLAIN = {"type": "plain_text", "text": "orders failed"}
MARKED = {"type": "mrkdwn", "text": "*orders* failed"}
PICTURE = {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"}
DIVIDER = {"type": "divider"}


def a_section(**fields: Any) -> dict[str, Any]:
    return {"type": "section", "text": MARKED} | fields


def a_text(length: int, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": kind, "text": "ä" * length}


def a_button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "text": PLAIN, "url": "https://example.com"} | fields


def actions(*elements: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def context(*elements: Any) -> dict[str, Any]:
    return {"type": "context", "elements": list(elements)}


def header(text: Any) -> dict[str, Any]:
    return {"type": "header", "text": text}


def errors(*blocks: Any) -> list[str]:
    return list(slack_blocks.errors(list(blocks)))


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param([], id="none"),
        pytest.param([DIVIDER] * 50, id="as many as there may be"),
        pytest.param([a_section(text=a_text(3_000))], id="the longest section"),
        pytest.param([a_section(text=PLAIN | {"emoji": False})], id="a plain section"),
        pytest.param([a_section(text=MARKED | {"verbatim": True})], id="taken by the word"),
        pytest.param(
            [{"type": "section", "fields": [a_text(2_000)] * 10}], id="the most and longest fields"
        ),
        pytest.param([a_section(accessory=a_button())], id="a button beside"),
        pytest.param([a_section(accessory=PICTURE)], id="a picture beside"),
        pytest.param([a_section(block_id="b" * 255)], id="the longest id"),
        pytest.param([header(a_text(150, "plain_text"))], id="the longest header"),
        pytest.param([context(*[MARKED] * 9, PICTURE)], id="the most in a context"),
        pytest.param(
            [actions(a_button(text=a_text(75, "plain_text"), action_id="run", style="danger"))],
            id="the longest button",
        ),
        pytest.param(
            [actions(a_button(url="https://example.com/".ljust(3_000, "x")))], id="the longest url"
        ),
        pytest.param([PICTURE | {"alt_text": "a" * 2_000, "title": PLAIN}], id="a picture"),
        pytest.param([{"type": "markdown", "text": "# a"}], id="markdown"),
        pytest.param([{"type": "rich_text", "elements": [{"type": "x"}]}], id="a rich text"),
    ],
)
def test_what_slack_shows_is_taken(blocks: list[Any]) -> None:
    assert errors(*blocks) == []


TOO_LONG = "must be less than {} characters [json-pointer:/blocks/0{}]"
EXTRA = "invalid additional property: {} [json-pointer:/blocks/0{}]"


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (a_section(text=a_text(3_001)), TOO_LONG.format(3001, "/text/text")),
        (a_section(fields=[a_text(2_001)]), TOO_LONG.format(2001, "/fields/0/text")),
        (
            a_section(fields=[MARKED] * 11),
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        (a_section(block_id="b" * 256), TOO_LONG.format(256, "/block_id")),
        (header(a_text(151, "plain_text")), TOO_LONG.format(151, "/text/text")),
        (
            context(*[MARKED] * 11),
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (context(), "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"),
        (
            actions(a_button(text=a_text(76, "plain_text"))),
            TOO_LONG.format(76, "/elements/0/text/text"),
        ),
        (
            actions(a_button(url="https://example.com/".ljust(3_001, "x"))),
            TOO_LONG.format(3001, "/elements/0/url"),
        ),
        (
            actions(a_button(url="javascript:1")),
            "must be a valid URL [json-pointer:/blocks/0/elements/0/url]",
        ),
        (
            actions(*[a_button()] * 26),
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (PICTURE | {"alt_text": "a" * 2_001}, TOO_LONG.format(2001, "/alt_text")),
        (
            {"type": "image", "image_url": "https://example.com/a.png"},
            "must be a string [json-pointer:/blocks/0/alt_text]",
        ),
        (header(MARKED), "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"),
        (
            a_section(text=a_text(0)),
            "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
        ),
        (a_section(text="orders"), "must be an object [json-pointer:/blocks/0/text]"),
        ({"type": "section"}, "missing required field: text [json-pointer:/blocks/0]"),
        (a_section(text=MARKED | {"emoji": True}), EXTRA.format("emoji", "/text")),
        (a_section(text=PLAIN | {"verbatim": True}), EXTRA.format("verbatim", "/text")),
        (a_section(colour="red"), EXTRA.format("colour", "")),
        ({"type": "banner"}, "unsupported type: banner [json-pointer:/blocks/0/type]"),
        ({"text": MARKED}, "unsupported type: None [json-pointer:/blocks/0/type]"),
    ],
)
def test_what_slack_does_not_show_is_named(block: Any, error: str) -> None:
    assert errors(block) == [error]


def test_there_are_not_more_than_fifty_blocks() -> None:
    assert errors(*[DIVIDER] * 51) == ["no more than 50 items allowed [json-pointer:/blocks]"]


def test_no_two_blocks_have_one_id() -> None:
    twice = a_section(block_id="b")

    assert errors(twice, twice) == ["`block_id` must be unique [json-pointer:/blocks]"]


def test_the_lengths_of_all_markdown_add_up() -> None:
    half = {"type": "markdown", "text": "a" * 6_001}

    assert errors(half) == []
    assert errors(half, half) == [
        "markdown must be less than 12001 characters in all [json-pointer:/blocks]"
    ]


@pytest.mark.parametrize("odd", [None, 7, "odd", [], ["odd"], {"odd": 1}], ids=repr)
@pytest.mark.parametrize("kind", ["section", "header", "context", "actions", "image"])
def test_nothing_odd_is_taken_and_nothing_breaks(kind: str, odd: Any) -> None:
    for key in ("text", "fields", "elements", "accessory", "image_url", "block_id"):
        assert errors({"type": kind, key: odd}) != []


@pytest.mark.parametrize("value", [None, "[]", {}, ["section"], [[]]])
def test_blocks_are_a_list_of_objects(value: object) -> None:
    assert not slack_blocks.are_blocks(value)


def test_the_size_of_blocks_is_in_bytes() -> None:
    assert slack_blocks.size_bytes([{"a": "ä"}]) == len('[{"a":"ä"}]') + 1
