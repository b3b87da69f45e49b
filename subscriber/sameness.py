"""Sameness: when two messages are about the same error."""

import hashlib
import re

# dbt's own line above an error: the node and its path are not what went wrong
_HEADER = re.compile(r"^(?P<error>[a-z ]{1,40}) in \w{1,30} [^\s(]{1,500} \([^()\n]{0,1000}\)")
_COMPILED = re.compile(r"^\s*compiled code at .*$", re.MULTILINE)
_QUOTED = re.compile(r"\"[^\"\n]*\"|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)")
_ID = re.compile(
    r"(?<![^\W_])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9a-f]{8,}+)(?![^\W_])"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
# words that belong to a date, a time or a duration, by the number they stand beside
_BESIDE_A_NUMBER = re.compile(
    rf"(?<![^\W_])(?:{_WEEKDAY}[ ,]{{1,2}})?{_MONTH}[ .,/-]{{1,3}}(?=\d)"
    rf"|(?<![^\W_]){_WEEKDAY}[ ,]{{1,2}}(?=\d)"
    rf"|(?<=\d)[ /-]?{_MONTH}(?![^\W_])"
    r"|(?<=\d)t(?=\d)"
    r"|(?<=\d)[ ]?(?:ns|[uµμ]s|ms|m(?:illi|icro)seconds?|s|secs?|seconds?|m|mins?|minutes?"
    r"|h|hrs?|hours?|d|days?|weeks?|months?|years?|am|pm|z|utc|gmt)(?![^\W_])"
)
_WORD = re.compile(r"[^\W\d_]+")
_HEX_WORD = re.compile(r"[a-f]{8,}")


def fingerprint(message: str) -> str:
    """12 hex digits, equal for messages that tell of the same error; an empty one has its own.

    See `normalized` for what makes no difference.
    """
    kept = normalized(message).encode("utf-8", "surrogatepass")
    return hashlib.sha256(kept).hexdigest()[:12]


def normalized(message: str) -> str:
    """The words of `message` that stay the same when the same error happens again.

    Without the node that dbt's header names, quoted values, numbers, ids, dates, times, durations,
    punctuation and case. Normalizing again changes nothing.
    """
    text = _HEADER.sub(r"\g<error>", message.casefold().strip())
    for varying in (_COMPILED, _QUOTED, _ID, _BESIDE_A_NUMBER):
        text = varying.sub(" ", text)
    words = (word for word in _WORD.findall(text) if not _HEX_WORD.fullmatch(word))
    return " ".join(words)
