"""Filters: which messages a subscription wants, by their attributes.

    filter    = term {"AND" term} | term {"OR" term}     (mixed only with parentheses)
    term      = ["NOT"] ("(" filter ")" | test)
    test      = "attributes" ":" key | attribute ("=" | "!=") string
              | "hasPrefix" "(" attribute "," string ")"
    attribute = "attributes" "." key
    key       = letters, digits, hyphens and underscores, or a string

Source: https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax
"""

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

LIMIT_BYTES = 256

Filter = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\\x00-\x1f\x7f]|\\.)*")|(?P<word>[A-Za-z0-9_-]+)|(?P<sign>!=|[=:.,()]))'
)
_ESCAPE = re.compile(
    r"\\(?:x(?P<hex>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-3][0-7]{2})|(?P<letter>.))"
)
_LETTERS = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t"}
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_KEYWORDS = ("AND", "OR", "NOT")


class MalformedFilter(ValueError):
    """The text is not a filter; the message says where it stops being one."""


def everything(attributes: Mapping[str, str]) -> bool:
    """The filter of a subscription that has none."""
    return True


def parse(text: str) -> Filter:
    """The filter that `text` writes down; an empty text lets everything pass.

    Raises MalformedFilter, also for more than 256 bytes. Keys and values are compared exactly;
    `!=` holds as well for messages that lack the attribute.
    """
    if len(text.encode()) > LIMIT_BYTES:
        raise MalformedFilter(f"a filter has at most {LIMIT_BYTES} bytes")
    return _Parser(text).whole() if text.strip() else everything


class _Parser:
    """Recursive descent over tokens: a string keeps its quotes, so that it is never a keyword."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def whole(self) -> Filter:
        found = self._filter()
        if self._peek():
            self._fail("an operator or the end")
        return found

    def _filter(self) -> Filter:
        terms = [self._term()]
        operator = self._peek()
        if operator not in ("AND", "OR"):
            return terms[0]
        while self._peek() == operator:
            self._at += 1
            terms.append(self._term())
        if self._peek() in ("AND", "OR"):
            self._fail("parentheses around what AND or OR joins")
        return _all_of(terms) if operator == "AND" else _any_of(terms)

    def _term(self) -> Filter:
        negated = self._skip("NOT")
        if self._skip("("):
            found = self._filter()
            self._expect(")")
        else:
            found = self._test()
        return _not(found) if negated else found

    def _test(self) -> Filter:
        if self._skip("hasPrefix"):
            self._expect("(")
            self._expect("attributes")
            self._expect(".")
            key = self._key()
            self._expect(",")
            prefix = self._string()
            self._expect(")")
            return _has_prefix(key, prefix)
        self._expect("attributes")
        if self._skip(":"):
            return _has(self._key())
        self._expect(".")
        key = self._key()
        if self._skip("="):
            return _equals(key, self._string())
        self._expect("!=")
        return _not(_equals(key, self._string()))

    def _key(self) -> str:
        token = self._peek()
        if token.startswith('"'):
            return self._string()
        if token in _KEYWORDS or not _WORD.fullmatch(token):
            self._fail("an attribute's key")
        self._at += 1
        return token

    def _string(self) -> str:
        token = self._peek()
        if not token.startswith('"'):
            self._fail("a string in double quotes")
        self._at += 1
        return _ESCAPE.sub(_unescape, token[1:-1])

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _skip(self, token: str) -> bool:
        found = self._peek() == token
        self._at += found
        return found

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            self._fail(token)

    def _fail(self, wanted: str) -> NoReturn:
        raise MalformedFilter(f"expected {wanted}, found {self._peek() or 'the end'}")


def _tokens(text: str) -> list[str]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            raise MalformedFilter(f"unexpected text at character {at + 1}")
        tokens.append(token.group().lstrip())
        at = token.end()
    return tokens


def _unescape(escape: re.Match[str]) -> str:
    if letter := escape["letter"]:
        if letter not in _LETTERS:
            raise MalformedFilter(f"unknown escape \\{letter}")
        return _LETTERS[letter]
    digits = escape["hex"] or escape["short"] or escape["long"]
    code = int(digits, 16) if digits else int(escape["octal"], 8)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise MalformedFilter(f"{escape.group()} is no character")
    return chr(code)


def _has(key: str) -> Filter:
    return lambda attributes: key in attributes


def _equals(key: str, value: str) -> Filter:
    return lambda attributes: attributes.get(key) == value


def _has_prefix(key: str, prefix: str) -> Filter:
    return lambda attributes: key in attributes and attributes[key].startswith(prefix)


def _not(inner: Filter) -> Filter:
    return lambda attributes: not inner(attributes)


def _all_of(terms: list[Filter]) -> Filter:
    return lambda attributes: all(term(attributes) for term in terms)


def _any_of(terms: list[Filter]) -> Filter:
    return lambda attributes: any(term(attributes) for term in terms)
