"""Redaction: what looks like a secret does not leave in what we tell."""

import re
from dataclasses import dataclass

REDACTED = "[redacted]"

_FLAGS = re.ASCII | re.IGNORECASE
_KEYS = (
    r"pass(?:word|wd|phrase)|pwd|secret|token|"
    r"(?:api|access|account|auth|private|secret|signing|encryption|routing|integration)[ _-]?key|"
    r"\bsig|\bsas"
)
# quoted, quoted within a quoted text, or up to what ends a word; `++` and `*+` never step back
_VALUE = (
    r"(?:\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.|'')*+'?|\\[\"'][^\"'\\\n]*+(?:\\[\"'])?"
    r"|[^\s,;&\"'`<>]++)"
)


@dataclass(frozen=True)
class _Shape:
    """A kind of secret. `hints`, in lower case: a text with none of them has no such secret.

    What the group `kept` matches stays, and `after` is put back behind what goes.
    """

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    after: str = ""

    def redact(self, text: str, lowered: str) -> str:
        if not any(hint in lowered for hint in self.hints):
            return text
        return self.pattern.sub(rf"\g<kept>{REDACTED}{self.after}", text)


def _shape(hints: str, pattern: str, flags: re.RegexFlag = _FLAGS, *, after: str = "") -> _Shape:
    return _Shape(tuple(hints.split()), re.compile(pattern, flags), after)


_SHAPES = (
    _shape(
        "private",
        r"(?P<kept>)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]|-(?!----))*+(?:-----END[^-\n]{0,60}-----)?",
    ),
    # user:password@ of a URL, however many @ it has; `git@` says nothing
    _shape("://", r"(?P<kept>://)(?!git@|\[redacted\]@)(?:[^\s/?#\"'<>@]*+@)++", after="@"),
    # the same with a slash in the password
    _shape(
        "://",
        r"(?P<kept>://)[^\s/?#\"'<>@:]*+:(?!\d*/)[^\s/\"'<>@]*+/[^\s\"'<>@]{0,128}+@",
        after="@",
    ),
    _shape(
        "authorization",
        r"(?P<kept>authorization[\"'\\]{0,2}[ \t]{0,8}[:=][ \t]{0,8})"
        r"(?:[\"'\\]{1,2})?(?:(?:bearer|basic|token|digest|negotiate|apikey)[ \t]{1,8})?+"
        r"(?!\[redacted\])[^\s,;\"'\\}]++(?:[\"'\\]{1,2})?",
    ),
    # a word that only names the scheme ("basic authentication") is not a credential
    _shape(
        "bearer basic",
        r"(?P<kept>\b(?:bearer|basic)[ \t]{1,8})"
        r"(?=[\w.~+/-]{0,200}(?:[0-9=]|(?-i:[a-z][A-Z]))|[\w.~+/-]{20})[\w.~+/-]{6,}+=*+",
    ),
    _shape("eyj", r"(?P<kept>)(?<![\w-])eyJ[\w-]{6,}+\.[\w-]{4,}+(?:\.[\w-]*+)*+", re.ASCII),
    # an AWS key id, and the secret beside it
    _shape(
        "akia asia",
        r"(?P<kept>)(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
        r"(?:[^\n]{0,60}?(?<![\w/+])[A-Za-z0-9/+]{40}(?![\w/+]))?",
        re.ASCII,
    ),
    _shape("hooks.slack.com", r"(?P<kept>hooks\.slack\.com/)[\w/-]++"),
    _shape(
        "xox xapp ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- aiza ya29. dbtc_ dbts_ dbtu_ dapi "
        "k_live_ k_test_ sk-",
        r"(?P<kept>)(?<![\w-])(?:xox[a-z]-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+"
        r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_\w{20,}+|glpat-[\w-]{16,}+"
        r"|AIza[\w-]{30,}+|ya29\.[\w-]{10,}+|dbt[csu]_[\w+/=-]{16,}+"
        r"|dapi[0-9a-f]{32}(?:-\d)?|[sr]k_(?:live|test)_\w{10,}+"
        r"|sk-(?=[\w-]*\d)[\w-]{20,}+)",
        re.ASCII,
    ),
    # key=value, key: value, "key": "value"; but no `unexpected token: x`, no `token::text`, and
    # not the reference in our own "the secret secret:NAME cannot be read"
    _shape(
        "pass pwd secret token key sig sas",
        rf"(?P<kept>(?<!expected )(?<!the secret )(?:{_KEYS})"
        rf"[\"'`\\\]]{{0,3}}[ \t]{{0,8}}(?:==?+>?+|:=?+(?!:))[ \t]{{0,8}})"
        rf"(?!\[redacted\]|(?:null|none|true|false)\b){_VALUE}",
    ),
    # environment variables of dbt whose names say that they are secret
    _shape(
        "_secret_",
        rf"(?P<kept>\bDBT_ENV_(?:CUSTOM_ENV_)?SECRET_\w*+[\"'\\]{{0,2}}[ \t]{{0,8}}[:=]"
        rf"[ \t]{{0,8}})(?!\[redacted\]){_VALUE}",
    ),
    _shape("pass", r"(?P<kept>(?:^|\|)[ \t]{0,40}pass:[ \t]{1,8})(?!\[redacted\])\S++", re.M),
    _shape(
        "pass pwd secret token key",
        rf"(?P<kept>(?<!-)--[a-z-]{{0,20}}?(?:{_KEYS})[ \t]{{1,8}})(?!-|\[redacted\]){_VALUE}",
    ),
    _shape(
        "password identified",
        r"(?P<kept>\b(?:password|identified[ \t]{1,8}by)[ \t]{1,8})'[^'\n]*+'",
    ),
    # as many hex digits as a PagerDuty key: a secret only beside a word that says so
    _shape(
        "key token secret password",
        rf"(?P<kept>(?:{_KEYS})\b(?:[ \t]{{1,8}}(?:is|was))?[^\w\n]{{1,4}})"
        rf"[0-9a-f]{{32}}(?![0-9a-z])",
    ),
)


def redacted(text: str) -> str:
    """`text` with what looks like a secret replaced by `[redacted]`. Safe to repeat.

    Known are: credentials in URLs, after `Bearer` and in `Authorization`; values of keys such as
    password, token or api_key, however they are written; private keys, JWTs and tokens of a
    well-known shape. Takes time in proportion to the text's length, whatever it says.
    """
    lowered = text.lower()
    for shape in _SHAPES:
        text = shape.redact(text, lowered)
    return text
