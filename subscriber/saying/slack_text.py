"""Text as Slack reads it: outside text within markup neither marks, links nor calls anybody. Pure.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

from collections.abc import Sequence
from urllib.parse import quote

# `&` first: it begins the other two
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_FENCE = "```"
_IN_URLS = "%/:?#[]@!$&'()*+,;=-._~"  # stays as it is; the rest would end the link, or the URL


def escaped(text: str) -> str:
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    return text


def inline(text: str) -> str:
    """Within a line of markup; a backtick would begin code there."""
    return escaped(text.replace("`", "'"))


def code(text: str) -> str:
    """A block of code, which nothing in `text` ends."""
    inside = escaped(text.replace(_FENCE, "'''"))
    return f"{_FENCE}\n{inside}\n{_FENCE}"


def bold(text: str) -> str:
    """`text` is of one line."""
    return f"*{inline(text)}*"


def link(title: str, url: str) -> str:
    """`title` is a word of our own. Nothing in `url` ends the link."""
    return f"<{escaped(quote(url, safe=_IN_URLS))}|{title}>"


def mentions(members: Sequence[str]) -> str:
    """The members with these ids are called."""
    return " ".join(f"<@{member}>" for member in members)
