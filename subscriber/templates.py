"""Templates: a rule's title or note, with fields in braces for what is known of a run. Pure.

A field is a name alone and stands for a text: there is nothing to evaluate in it, no attribute,
index, conversion or format. What fills it comes from outside, and is put in as it is: braces in it
mean nothing. `{{` and `}}` are braces.
"""

import re
from collections.abc import Mapping
from functools import partial

from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean
from subscriber.hints import did_you_mean

TITLE_WRITTEN, NOTE_WRITTEN = 200, 1_000  # characters of a template
TITLE_LIMIT, NOTE_LIMIT = 300, 2_000  # characters of what becomes of it

FIELDS = (
    *("account_id", "project", "environment", "job", "job_id", "run_id"),
    *("trigger", "branch", "commit", "outcome", "state", "headline"),
    *("node", "nodes", "error", "owner", "since", "open_for", "link", "job_link"),
)
SCHEMA = rf"^(?:[^{{}}]|\{{\{{|\}}\}}|\{{(?:{'|'.join(FIELDS)})\}})*$"
"""What a template looks like, for editors."""

_ADDRESSES = frozenset({"link", "job_link"})  # half of one leads nowhere

_PART = re.compile(r"\{\{|\}\}|\{(?P<field>[^{}]*)\}|[{}]")
_WORD = re.compile(r"\w*")
_LENGTHS = (2_000, 300, 150, 80, 40, 20)
"""Characters of each value: fewer where the whole would be too long, so that one long value does
not push out what stands behind it."""


def checked_title(written: str) -> str:
    """`written`, if it can be filled; else ValueError, for people. So is a note's."""
    if len(written.strip().splitlines()) > 1:
        raise ValueError("a title has one line; what needs more is a `note`")
    return _checked(written, TITLE_WRITTEN)


def checked_note(written: str) -> str:
    return _checked(written, NOTE_WRITTEN)


def fields(template: str) -> frozenset[str]:
    """The names of the fields in `template`."""
    return frozenset(_named(template))


def title(template: str, values: Mapping[str, str], before: str = "") -> str:
    """One line of at most TITLE_LIMIT characters, begun with `before`; empty if nothing fills it.

    A field that `values` does not have is empty.
    """
    filled = one_line(_filled(template, values, TITLE_LIMIT - len(before)))
    return f"{before}{filled}" if filled else ""


def note(template: str, values: Mapping[str, str]) -> str:
    """At most NOTE_LIMIT characters, in the lines that the template has; else as a title."""
    return _filled(template, values, NOTE_LIMIT)


def _named(template: str) -> list[str]:
    found = (part["field"] for part in _PART.finditer(template))
    return [name for name in found if name is not None]


def _checked(written: str, limit: int) -> str:
    if not clean(written):
        raise ValueError("this is empty; write a value, or leave the key out")
    if len(written) > limit:
        raise ValueError(f"this is too long; write at most {limit:,} characters")
    if any(part[0] in ("{", "}") for part in _PART.finditer(written)):
        raise ValueError("a brace stands alone: write a field as {job}, a brace as {{ or }}")
    for number, name in enumerate(_named(written), 1):
        if name not in FIELDS:
            raise ValueError(_unknown(number, name))
    return written


def _unknown(number: int, name: str) -> str:
    """What is wrong with a field. What is written there is not repeated: it may be anything."""
    begins = _WORD.match(name.strip())
    word = begins[0] if begins else ""
    hint = did_you_mean(word, FIELDS)
    if "did you mean" in hint:
        hint += f" known are: {', '.join(FIELDS)}"
    what = "is not known" if word in ("", name.strip()) else "is more than a name"
    return f"field {number} {what}{hint}"


def _filled(template: str, values: Mapping[str, str], limit: int) -> str:
    text = ""
    for length in _LENGTHS:
        text = _PART.sub(partial(_said, values, length), template).strip()
        if len(text) <= limit:
            break
    return cut(clean(text), limit)


def _said(values: Mapping[str, str], length: int, part: re.Match[str]) -> str:
    name = part["field"]
    if name is None:
        return part[0][0]
    value = one_line(values.get(name, ""))
    if name in _ADDRESSES:
        return value if len(value) <= length else ""
    return cut(value, length)
