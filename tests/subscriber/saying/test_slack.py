"""What Slack is told, at its limits and over them, by what the lab's stand-in refuses."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import slack_blocks
from lab.slack_text import mentions, shown
from subscriber.actions import Action, Message, Verb
from subscriber.saying.slack import PLAIN_LIMIT, SIZE_LIMIT_BYTES, told, told_plainly
from tests.builders import a_node, a_told, an_action

LONG = 100_000
MEMBER = "U012AB3CD"


def an_alert(**fields: Any) -> Action:
    return an_action(message=a_told(**fields))


def read(action: Action) -> str:
    """What people read of it."""
    return shown("", told(action)["blocks"])


def assert_is_taken(action: Action) -> None:
    body, plainly = told(action), told_plainly(action)
    assert list(slack_blocks.errors(body["blocks"])) == []
    assert len(json.dumps(body)) <= SIZE_LIMIT_BYTES < slack_blocks.SIZE_LIMIT_BYTES
    assert 0 < len(body["text"]) <= 1_000
    assert 0 < len(plainly) <= PLAIN_LIMIT
    assert mentions(body["text"], body["blocks"]) == mentions(plainly, []) == ()


def test_an_alert_says_what_failed_with_its_error_whose_it_is_and_where_to_look() -> None:
    node = a_node(owner="Ada <ada@example.com>", tags=("daily",), path="models/orders.sql")

    lines = read(an_alert(nodes=(node,), outcome="failed", since="2026-01-05T11:00:00+00:00"))

    assert lines == "\n".join(
        [
            "🔴 Failed",
            "*Daily build failed in Production: model orders: no such column*",
            "*model orders* error",
            "```",
            "Database Error in model orders (models/orders.sql)",
            "  no such column",
            "```",
            "Path: models/orders.sql · Owner: Ada <ada@example.com> · Tags: daily",
            "*Job:* Daily build · *Run:* 100 · *Since:* 2026-01-05 11:00 UTC",
            "Open the run",
        ]
    )


def test_what_has_changed_what_is_grouped_and_what_is_added_is_said_too() -> None:
    message = a_told(
        nodes=(),
        new=("customers",),
        still=("items",),
        fixed=("orders",),
        more_nodes=3,
        causes=("no such table: 2 of 3",),
        owners=("finance: 3 of 3",),
        note="call Ada",
        text="the end of the log",
    )

    lines = read(an_action(Verb.UPDATE, message=message)).split("\n")

    assert lines[0] == "🔴 Still failing"
    assert "call Ada" in lines
    assert lines[3:6] == ["*New:* customers", "*Still failing:* items", "*Fixed:* orders"]
    assert "and 3 more" in lines
    assert lines.index("*By cause*") + 1 == lines.index("• no such table: 2 of 3")
    assert lines.index("*By owner*") + 1 == lines.index("• finance: 3 of 3")
    assert "the end of the log" in lines


@pytest.mark.parametrize(
    ("verb", "fields", "title"),
    [
        (Verb.OPEN, {"level": "failure", "outcome": "failed"}, "🔴 Failed"),
        (Verb.OPEN, {"level": "warning", "outcome": "warned"}, "⚠️ Warned"),
        (Verb.UPDATE, {"level": "warning"}, "⚠️ Still warning"),
        (Verb.REMIND, {}, "🔴 Still open"),
        (Verb.CLOSE, {"outcome": "recovered"}, "✅ Recovered"),
        (Verb.CLOSE, {"outcome": "failed"}, "ℹ️ Closed"),  # noqa: RUF001 - an emoji, no letter
        (Verb.TELL, {"level": "", "outcome": "succeeded"}, "✅ Succeeded"),
        (Verb.TELL, {"level": "", "outcome": "cancelled"}, "ℹ️ Cancelled"),  # noqa: RUF001
    ],
)
def test_a_glance_tells_what_it_is(verb: Verb, fields: dict[str, Any], title: str) -> None:
    action = an_action(verb, message=a_told(**fields))

    assert read(action).split("\n")[0] == title
    assert told(action)["text"].startswith(f"{title}: Daily build")
    assert told_plainly(action).startswith(f"{title}: Daily build")


def test_owners_are_called_to_problems_and_to_nothing_else() -> None:
    problem = an_action(Verb.OPEN)
    recovery = an_action(Verb.CLOSE, message=a_told(outcome="recovered"))
    success = an_action(Verb.TELL, message=a_told(level="", outcome="succeeded"))

    def called(action: Action) -> tuple[str, ...]:
        body = told(action, [MEMBER])
        plainly = mentions(told_plainly(action, [MEMBER]), [])
        assert plainly == mentions(body["text"], body["blocks"])
        return plainly

    assert called(problem) == (MEMBER,)
    assert called(recovery) == called(success) == ()


def test_the_sections_are_marked_so_that_nothing_else_is_made_of_outside_text() -> None:
    texts = [
        text
        for block in told(an_alert(text="@channel #general www.example.com"))["blocks"]
        for text in (block.get("elements") or [block["text"]])
        if text["type"] == "mrkdwn"
    ]

    assert len(texts) >= 4
    assert all(text["verbatim"] for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * LONG, id="letters"),
        pytest.param("&" * LONG, id="what is five times as long when it is escaped"),
        pytest.param("👩‍👩‍👧‍👦" * LONG, id="emojis"),
        pytest.param("\N{HEBREW LETTER ALEF}" * LONG, id="right to left"),
        pytest.param("`" * LONG, id="backticks"),
        pytest.param("<!channel>" * LONG, id="calls"),
        pytest.param("<b>\0</b>\n" * LONG, id="HTML with nulls"),
        pytest.param("\ud800" * 100, id="half a character"),
        pytest.param(" \n\t\0", id="nothing to see"),
    ],
)
def test_any_text_anywhere_is_taken_and_harmless(text: str) -> None:
    text = text[:LONG]
    node = a_node(
        name=text, kind=text, status=text, message=text, path=text, owner=text, tags=(text,)
    )
    message = Message(
        headline=text,
        source=text,
        text=text,
        note=text,
        nodes=(node,),
        facts={"job": text, text[:50]: text},
        new=(text,),
        causes=(text,),
        link=f"https://x.example/{text}",
        job_link="https://x.example/jobs/7",
    )

    assert_is_taken(an_action(message=message))


@pytest.mark.parametrize("field", ["headline", "text", "note"])
def test_one_long_text_is_cut_and_that_is_said(field: str) -> None:
    action = an_alert(**{field: "x" * LONG})

    assert_is_taken(action)
    assert "Left out here" in read(action)
    assert "Open the run" in read(action)


def test_many_nodes_are_told_as_far_as_there_is_room_and_the_rest_counted() -> None:
    nodes = tuple(a_node(name=f"model_{i}") for i in range(200))
    action = an_alert(nodes=nodes, more_nodes=500)

    lines = read(action)

    assert_is_taken(action)
    assert "*model model_0* error" in lines
    assert "Left out here" in lines
    told_nodes = lines.count("*model model_")
    assert told_nodes >= 10
    assert f"and {700 - told_nodes} more" in lines


@pytest.mark.parametrize("length", [2_800, 2_950, 3_000, 3_100, 11_000, 13_000])
def test_errors_around_the_limits_are_taken(length: int) -> None:
    for character in ("x", "&", "👩", "ä"):
        assert_is_taken(an_alert(nodes=(a_node(message=character * length),)))


def test_an_error_that_fits_a_section_is_told_whole() -> None:
    error = "\n".join(f"line {i}: no such column" for i in range(100))

    assert error in read(an_alert(nodes=(a_node(message=error),)))


def test_links_that_are_too_long_are_left_out_and_the_rest_is_told() -> None:
    far = "https://x.example/" + "ä" * 1_900
    action = an_alert(link=far, job_link=far + "/jobs")

    assert_is_taken(action)
    assert "Open" not in read(action)
    assert "no such column" in read(action)


def test_two_long_links_stand_apart() -> None:
    links = [f"https://x.example/{name}/" + "x" * 1_700 for name in ("run", "job")]
    action = an_alert(link=links[0], job_link=links[1])

    assert_is_taken(action)
    assert read(action).endswith("Open the run\nOpen the job")


def test_plain_text_says_the_same_with_less() -> None:
    action = an_alert(text="the end of the log", outcome="failed", more_nodes=2)

    assert told_plainly(action).split("\n") == [
        "🔴 Failed: Daily build failed in Production: model orders: no such column",
        "• model orders error",
        "Database Error in model orders (models/orders.sql)",
        "  no such column",
        "and 2 more",
        "the end of the log",
        "<https://cloud.getdbt.com/deploy/1/projects/9/runs/100|Open the run>",
    ]


ODD = st.text(alphabet=st.sampled_from("ab &<>!@|`*_~\n\0é👩🏽\u202e\ud800"), max_size=400)
NODES = st.builds(a_node, name=ODD, message=ODD | ODD.map(lambda text: text * 50), path=ODD)


@settings(max_examples=60, deadline=None)
@given(
    headline=ODD,
    text=ODD,
    nodes=st.lists(NODES, max_size=30).map(tuple),
    facts=st.dictionaries(ODD, ODD, max_size=20),
    names=st.lists(ODD, max_size=60).map(tuple),
    verb=st.sampled_from(Verb),
)
def test_whatever_is_told_is_taken(
    headline: str,
    text: str,
    nodes: tuple[Any, ...],
    facts: dict[str, str],
    names: tuple[str, ...],
    verb: Verb,
) -> None:
    message = a_told(headline=headline, text=text, nodes=nodes, facts=facts)

    assert_is_taken(an_action(verb, message=replace(message, new=names, causes=names)))


def test_a_message_has_as_many_blocks_as_slack_takes_and_no_more() -> None:
    counts = set()
    for count in range(30, 60):
        nodes = tuple(a_node(name=f"m{number}", message="", path="") for number in range(count))
        counts.add(len(told(an_action(message=a_told(nodes=nodes, facts={})))["blocks"]))

    assert max(counts) == 50
