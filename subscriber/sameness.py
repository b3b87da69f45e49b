"""Sameness: when two messages are about the same error."""

import hashlib
import re

# dbt's own line above an error: the node and its path are not what went wrong
_HEADER = re.compile(r"^(?P<error>[a-z ]{1,40}) in \w{1,30} [^\s(]{1,500} \([^()\n]{0,1000}\)")
_COMPILED = re.compile(r"^[^\S\n]*compiled code at .*$", re.MULTILINE)
# these look behind only where something is found: to look at every character takes long
_QUOTED = re.compile(r"\"[^\"\n]*\"|`[^`\n]*`|'(?<!\w')[^'\n]*'(?!\w)")
_ID = re.compile(
    r"[0-9a-f](?<![^\W_].)(?:[0-9a-f]{7}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=0)x[0-9a-f]+"
    r"|[0-9a-f]{7,}+)(?![^\W_])"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
# words that belong to a date, a time or a duration, by the number they stand beside
_BEFORE_A_NUMBER = re.compile(
    rf"(?<![^\W_])(?:{_WEEKDAY}[ ,]{{1,2}})?(?:{_WEEKDAY}[ ,]{{1,2}}|{_MONTH}[ .,/-]{{1,3}})(?=\d)"
)
_BEHIND_A_NUMBER = re.compile(
    rf"\d(?:[ /-]?{_MONTH}(?![^\W_])|t(?=\d)"
    r"|[ ]?(?:ns|[uµμ]s|ms|m(?:illi|icro)seconds?|s|secs?|seconds?|m|mins?|minutes?"
    r"|h|hrs?|hours?|d|days?|weeks?|months?|years?|am|pm|z|utc|gmt)(?![^\W_]))"
)
# more than one of something is the same as one: results/result, batches/batch, queries/query
_COUNTED = re.compile(r"(\d[ \t]{1,3}[a-z]{2,}?)(?:ies|y|[es]{1,4})(?![^\W_])")
# what is said to be an id, whatever it looks like; without a sign between, only with a digit
_LABELLED = re.compile(
    r"((?:request|query|job|trace)[ _-]?id)(?:[ \t]{0,8}[:=][ \t]{0,8}"
    r"(?:\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|[^\s,;()\[\]{}]+)"
    r"|[ \t]{1,8}(?=[^\s\d]*\d)[^\s,;()\[\]{}]+)"
)
_TOKEN = re.compile(r"[^\W_]{8,}")
_PADDED = re.compile(r"[a-z0-9+/](?<![a-z0-9+/].)[a-z0-9+/]{7,}+={1,2}(?![\w=])")
# a name with a number behind it, as customer2024, is no id
_NUMBERED = re.compile(r"[^\W\d_]+\d{1,4}")
_STRAIGHT = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f", '"') | dict.fromkeys("\u2018\u2019\u201a\u201b", "'")
)
_NAMES = (
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    *("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
)
_HEX_WORD = re.compile(r"(?<!\S)[a-f]{8,}(?:\s|$)")


class _Letters:
    """For `str.translate`: letters stay, all else becomes a blank."""

    def __getitem__(self, code: int) -> str:
        letter = chr(code)
        return letter if letter.isalpha() else " "


def _unless_a_name(token: re.Match[str]) -> str:
    """Nothing of an id, which mixes letters with what is none; all of a name."""
    text = token[0].rstrip("=")
    is_mixed = not text.isalpha() and any(map(str.isalpha, text))
    return " 0 " if is_mixed and not _NUMBERED.fullmatch(text) else token[0]


def fingerprint(message: str) -> str:
    """12 hex digits, equal for messages that tell of the same error; an empty one has its own.

    See `normalized` for what makes no difference.
    """
    kept = normalized(message).encode("utf-8", "surrogatepass")
    return hashlib.sha256(kept).hexdigest()[:12]


def normalized(message: str) -> str:
    """The words of `message` that stay the same when the same error happens again.

    Without the node that dbt's header names, quoted values, numbers, ids, dates, times, durations,
    punctuation, case and the plural of what is counted. An id is what is called one, or eight and
    more letters and digits in a row; letters with up to four digits behind them are a name, of
    which only the number goes. Normalizing again changes nothing.
    """
    text = _HEADER.sub(r"\g<error>", message.casefold().strip()).translate(_STRAIGHT)
    if "id" in text:
        text = _LABELLED.sub(r"\1 0 ", text)
    for varying in (_COMPILED, _QUOTED):
        text = varying.sub(" ", text)
    text = _ID.sub(" 0 ", text)
    if "=" in text:
        text = _PADDED.sub(_unless_a_name, text)
    text = _TOKEN.sub(_unless_a_name, text)
    if any(name in text for name in _NAMES):
        text = _BEFORE_A_NUMBER.sub(" ", text)
    text = _BEHIND_A_NUMBER.sub("0 ", text)
    text = _COUNTED.sub(r"\1", text)
    words = " ".join(text.translate(_Letters()).split())
    return _HEX_WORD.sub("", words).strip()
