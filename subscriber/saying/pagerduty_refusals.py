"""PagerDuty's refusals: which of them a person can mend, and how. Pure.

It answers 400 to everything that it does not take, and says why in a list of sentences. None of
those is repeated: one could quote the routing key.

Source: https://developer.pagerduty.com/docs/send-alert-event
"""

import re

from subscriber.outbound import Refused, Reply

REGIONS = (
    "`base_url` is your region's: https://events.pagerduty.com, in the EU "
    "https://events.eu.pagerduty.com"
)
COPY = (
    "copy the integration key of an *Events API v2* integration anew, with all its 32 characters, "
    f"and see that {REGIONS}"
)
NO_CHANGES = (
    "PagerDuty takes no change events through a routing key that begins with R, which belongs to a "
    "ruleset or an orchestration: give a destination with `change_events` the integration key of a "
    "service, or leave `change_events` out"
)
_UNKNOWN_KEY = f"PagerDuty does not know the routing key: {COPY}"
_WRONG_LENGTH = f"the routing key does not have 32 characters: {COPY}"
_NO_REASON = f"PagerDuty gives no reason; most often it does not know the routing key: {COPY}"
_TOO_LARGE = (
    "PagerDuty finds the event too large, though it keeps to the 512 KB that are documented: "
    "please report this"
)
_ELSEWHERE = f"the Events API never answers so: is there a proxy between, and see that {REGIONS}"

_FIELDS = (
    *("event_action", "dedup_key", "payload", "summary", "source", "severity", "timestamp"),
    *("component", "group", "class", "custom_details", "links", "images", "client", "client_url"),
)


def explained(refused: Refused) -> Refused:
    """`refused` with what is wrong and what to do; a redirect says so already."""
    if 300 <= refused.status < 400:
        return refused
    return Refused(f"{refused}: {_why(refused)}", refused.status, refused.reply)


def not_taken(reply: Reply) -> Refused:
    """What a good answer that is none of PagerDuty's means: that is always 202."""
    return Refused(f"what answered {reply.status} is not PagerDuty: {_ELSEWHERE}", reply.status)


def _why(refused: Refused) -> str:
    errors = _errors(refused)
    if refused.status == 413 or any("too large" in error for error in errors):
        return _TOO_LARGE
    if refused.status != 400:
        return _ELSEWHERE
    if not errors:
        return _NO_REASON
    for error in errors:
        if re.search("(routing|integration)[ _]key", error):
            return _WRONG_LENGTH if re.search("length|missing|blank", error) else _UNKNOWN_KEY
    named = [name for name in _FIELDS if any(re.search(rf"\b{name}\b", e) for e in errors)]
    where = f" ({', '.join(named)})" if named else ""
    return (
        f"PagerDuty finds the event invalid{where}, which is Afterrun's fault: please report this"
    )


def _errors(refused: Refused) -> list[str]:
    content = refused.reply.content
    errors = content.get("errors") if isinstance(content, dict) else None
    return [str(error).lower() for error in errors] if isinstance(errors, list) else []
