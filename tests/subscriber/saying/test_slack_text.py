"""Text as Slack reads it: what comes from outside stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.slack_text import mentions as pinged
from lab.slack_text import shown
from subscriber.saying.slack_text import bold, code, inline, link, mentions

NASTY = "<!channel> <@U012AB3CD> &amp; & <https://x.example|here> ``` ` \n"


@pytest.mark.parametrize("form", [inline, bold, code])
@given(text=st.text() | st.text(alphabet="<>!@&;|`channelU0"))
def test_nothing_in_a_text_calls_anybody_or_links(form, text: str) -> None:
    told = form(NASTY + text)

    assert pinged(told, []) == ()
    assert "<" not in told
    assert ">" not in told


@given(text=st.text(alphabet="a&<>;lgtamp"))
def test_what_people_read_is_what_was_said(text: str) -> None:
    assert shown(inline(text), []) == text


@given(text=st.text(alphabet="a`\n "))
def test_nothing_within_code_ends_it(text: str) -> None:
    assert code(f"a{text}").count("```") == 2


def test_a_backtick_within_code_stays_and_begins_no_code_elsewhere() -> None:
    assert code("a `b` c") == "```\na `b` c\n```"
    assert inline("a `b` c") == "a 'b' c"


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://x.example/?a=1&b=2#c", "https://x.example/?a=1&amp;b=2#c"),
        ("https://x.example/a|b>c<d`e", "https://x.example/a%7Cb%3Ec%3Cd%60e"),
        ('https://x.example/a b"\nc', "https://x.example/a%20b%22%0Ac"),
        ("https://x.example/a%2Fb", "https://x.example/a%2Fb"),
        ("https://x.example/ä", "https://x.example/%C3%A4"),
    ],
)
def test_nothing_in_an_address_ends_the_link(url: str, written: str) -> None:
    assert link("Open the run", url) == f"<{written}|Open the run>"


def test_members_are_called_by_their_ids() -> None:
    assert pinged(mentions(["U012AB3CD", "W998877665"]), []) == ("U012AB3CD", "W998877665")
    assert mentions([]) == ""
