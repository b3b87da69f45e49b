"""How a command of gcloud failed: what it means, and what mends it. Pure."""

import re

from subscriber.diagnosis import clean

_NOT_THERE = re.compile(r"NOT_FOUND|not found|cannot find|does not exist|\b404\b", re.I)
_REFUSED = re.compile(r"PERMISSION_DENIED|forbidden|billing|\b403\b", re.I)
_NOT_YET = re.compile(
    # an API that has just been enabled, an account or a permission that has just been given, a
    # metric that has just been made: some minutes go by until all of Google knows
    r"SERVICE_DISABLED|has not been used in project|service account \S* ?does not exist"
    r"|Permission denied on secret|cannot find metric|concurrent policy changes"
    r"|operation was attempted on .* that is still|does not have storage\.",
    re.I,
)
_BUSY = re.compile(r"UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|\b(429|502|503|504)\b")

_MENDS = (
    (
        r"do not currently have an active account|Reauthentication|invalid_grant|auth login",
        "Run `gcloud auth login`.",
    ),
    (
        r"billing",
        "The project needs a billing account: console.cloud.google.com/billing/linkedaccount",
    ),
    (
        r"allowedPolicyMemberDomains|do not belong to a permitted customer",
        "Your organisation keeps services from being public: docs/deploy.md, `Public access`.",
    ),
    (
        r"PERMISSION_DENIED|does not have permission|forbidden|\b403\b",
        "This account lacks a role; docs/deploy.md lists them.",
    ),
    (
        r"constraints/",
        "A policy of your organisation forbids it; its administrator can exempt this project.",
    ),
    (r"quota|RESOURCE_EXHAUSTED", "A quota of the project is used up; look at it, or wait."),
    (r"build .*(FAIL|fail)", "The build's log says which of its steps failed, and why."),
    (
        r"(alpha|beta).* component",
        "Install what it asks for: `gcloud components install alpha beta`.",
    ),
)


def is_not_there(said: str) -> bool:
    """Whether a command failed only because there is no such thing."""
    return bool(_NOT_THERE.search(said)) and not _REFUSED.search(said) and not is_early(said)


def is_there_already(said: str) -> bool:
    return bool(re.search(r"ALREADY_EXISTS|already exists", said))


def is_early(said: str) -> bool:
    """Whether it may work in a minute: what it depends on has only just been made."""
    return bool(_NOT_YET.search(said))


def is_busy(said: str) -> bool:
    return bool(_BUSY.search(said))


def mend(said: str) -> str:
    """What to do about it, as far as that is known."""
    for pattern, words in _MENDS:
        if re.search(pattern, said, re.IGNORECASE):
            return words
    return ""


def gist(said: str, lines: int = 12) -> str:
    """The last lines of what a command said that hold anything, fit to be shown."""
    kept = [line.rstrip() for line in clean(said).splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in kept[-lines:])
