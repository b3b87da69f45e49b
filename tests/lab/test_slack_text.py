from typing import Any

import pytest

from lab.slack_text import mentions, shown


def marked(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, **fields}}


def plain(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": text}}


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("<!channel> look", "channel"),
        ("<!here|here>", "here"),
        ("a<!everyone>b", "everyone"),
        ("<@U012AB3CD> look", "U012AB3CD"),
        ("<@W012AB3CD|ann>", "W012AB3CD"),
        ("<!subteam^S012AB3CD>", "S012AB3CD"),
    ],
)
def test_what_pings_people_is_found_wherever_it_is_read(text: str, who: str) -> None:
    assert mentions(text, []) == (who,)
    assert mentions("", [marked(text)]) == (who,)
    assert mentions("", [{"type": "section", "fields": [marked(text)["text"]]}]) == (who,)
    assert mentions("", [{"type": "context", "elements": [marked(text)["text"]]}]) == (who,)
    assert mentions("", [{"type": "markdown", "text": text}]) == (who,)
    assert mentions(text, [marked(text)]) == (who,)


@pytest.mark.parametrize(
    "text",
    [
        "&lt;!channel&gt;",
        "<! channel>",
        "<!channel",
        "!channel",
        "@channel",
        "<@u012ab3cd>",
        "<!date^1392734382^{date}|today>",
        "<https://example.com|@channel>",
    ],
)
def test_what_pings_nobody_is_no_mention(text: str) -> None:
    assert mentions(text, [marked(text)]) == ()


def test_plain_text_pings_nobody() -> None:
    assert mentions("", [plain("<!channel> <@U012AB3CD>")]) == ()


def test_a_rich_text_names_people_in_its_own_way() -> None:
    elements = [{"type": "user", "user_id": "U012AB3CD"}, {"type": "broadcast", "range": "here"}]
    section = {"type": "rich_text_section", "elements": elements}

    assert mentions("", [{"type": "rich_text", "elements": [section]}]) == ("U012AB3CD", "here")


def test_blocks_are_shown_and_the_text_only_without_them() -> None:
    assert shown("the text", [plain("the block")]) == "the block"
    assert shown("the text", []) == "the text"


def test_what_is_shown_reads_as_people_read_it() -> None:
    told = "a &lt;b&gt; &amp;amp; <https://example.com/?a=1&amp;b=2|the run> <@U012AB3CD> <!here>"

    assert shown(told, []) == "a <b> &amp; the run @U012AB3CD @here"


def test_a_line_is_shown_for_each_block() -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": "a &amp; b"}},
        {"type": "divider"},
        {"type": "context", "elements": [plain("c")["text"], plain("d")["text"]]},
        {"type": "actions", "elements": [{"type": "button", "text": plain("open")["text"]}]},
    ]

    assert shown("", blocks) == "a &amp; b\n---\nc · d\n[open]"
