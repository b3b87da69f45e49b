"""What Power BI says, in words for people: of a request that it refuses, of a refresh that ended.

Source: https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group
"""

import json
from collections.abc import Mapping
from typing import Any

from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean
from subscriber.outbound import Busy, Refused, Reply
from subscriber.progress import Done, Failed, Progress, Running

GOING_ON_S = 60.0  # how soon to ask again while somebody else's refresh is going on
USED_UP_S = 3_600.0  # how soon after the day's refreshes were used up: minutes are no use
REASON_LIMIT = 300  # characters of what Power BI says of a failure
READ_LIMIT = 10_000  # so much of it is looked at

MEMBER = "make the app a member or contributor of the workspace"
LET_IN = (
    "let the tenant setting for service principals that use Fabric (Power BI) APIs allow the "
    "app's security group"
)
NO_DATASET = (
    "Power BI has no such dataset that the app can see (404): check `workspace` and `dataset`, "
    f"and {MEMBER}"
)
NO_REFRESH = (
    "Power BI does not know the refresh that was started any more (404): its history shows how "
    "it ended"
)

_BAD_ENDS = {
    "Failed": "failed",
    "TimedOut": "ran out of time",
    "Cancelled": "was cancelled",
    "Disabled": "was switched off",
}
_FIXES = {
    "ModelRefreshFailed_CredentialsNotSpecified": (
        "enter the credentials of its data source, in the dataset's settings"
    ),
}


def refused(failure: Refused | Busy, gone: str, *, enhanced: bool) -> Refused | Busy:
    """`failure` with what it means and how to mend it; `gone` is what a 404 means. Pure.

    Power BI says with one status what is for now and what is for good: its text tells them apart.
    """
    text = failure.reply.body.lower()
    if "last 24 hours" in text or "request throttled" in text:
        said = (
            "the dataset's refreshes of a day are used up: on shared capacity Power BI allows 8 in "
            "24 hours, scheduled ones included; have fewer, or move the workspace to Premium or "
            "Fabric capacity"
        )
        return _again(failure, said, USED_UP_S)
    if "already executing" in text or failure.status == 409:
        said = (
            "another refresh of the dataset is going on, which may have begun before the new data "
            "was there: tried again when it has ended"
        )
        return _again(failure, said, GOING_ON_S)
    if isinstance(failure, Busy):
        if failure.status != 429:
            return failure
        said = "Power BI takes no more requests of the app for now (429)"
        return _again(failure, said, failure.retry_after_s)
    return Refused(_mended(failure, text, gone, enhanced=enhanced), failure.status, failure.reply)


def is_about_the_token(failure: Refused | Busy) -> bool:
    """Whether another token may help: Power BI says 403, too, to one that has expired."""
    is_expired = failure.reply.text("error", "code") == "TokenExpired"
    return failure.status == 401 or (failure.status == 403 and is_expired)


def entries(reply: Reply) -> list[Mapping[str, Any]]:
    """The history that `reply` holds, the newest refresh first. Pure."""
    return _objects(reply.content.get("value")) if isinstance(reply.content, dict) else []


def of_history(entry: Mapping[str, Any]) -> Progress:
    """How far a refresh is, by its entry in the dataset's history. Pure."""
    return _progress(entry, entry.get("status"))


def of_details(reply: Reply) -> Progress:
    """How far an enhanced refresh is, by what is answered of it alone: 202 until it ended. Pure."""
    entry = reply.content if isinstance(reply.content, dict) else {}
    if reply.status == 202 or not entry:
        return Running()
    known = (entry.get("extendedStatus"), entry.get("status"))
    return _progress(entry, next((each for each in known if each not in (None, "Unknown")), None))


def _progress(entry: Mapping[str, Any], status: object) -> Progress:
    if status == "Completed":
        return Done()
    if isinstance(status, str) and status in _BAD_ENDS:
        return Failed(f"the refresh of the dataset {_BAD_ENDS[status]}{_because(entry)}")
    # "Unknown" is Power BI's word for being in progress, unless there is an end
    if entry.get("endTime") and status not in ("NotStarted", "InProgress"):
        return Failed("the refresh of the dataset ended, and Power BI does not say how")
    return Running()


def _again(failure: Refused | Busy, said: str, wait_s: float | None) -> Busy:
    return Busy(said, status=failure.status, retry_after_s=wait_s, reply=failure.reply)


def _mended(refusal: Refused, text: str, gone: str, *, enhanced: bool) -> str:
    status = refusal.status
    if status == 401:
        return (
            f"Power BI does not accept the app's token (401): {LET_IN}, and see to it that "
            "`login_url` and `base_url` are of one cloud"
        )
    if status == 403:
        return f"Power BI does not let the app do this (403): {LET_IN}, and {MEMBER}"
    if status == 404:
        return gone
    if status != 400:
        return str(refusal)
    if any(word in text for word in ("directquery", "direct query", "live connection")):
        return (
            "the dataset has no data of its own (400): in DirectQuery mode or with a live "
            "connection there is nothing to refresh; take it out of the rules"
        )
    if enhanced and any(word in text for word in ("shared", "premium", "enhanced")):
        return (
            "the dataset is on shared capacity, which has no enhanced refresh (400): use "
            "`refresh: standard`, or move the workspace to Premium or Fabric capacity"
        )
    also = "; that it has what `objects` names, and is on no shared capacity" if enhanced else ""
    return (
        "Power BI does not take the request (400): see to it that the dataset is not in "
        f"DirectQuery mode and has no live connection{also}"
    )


def _because(entry: Mapping[str, Any]) -> str:
    """What went wrong, as Power BI says, with a colon before it; empty if it does not say."""
    code, description = _exception(entry)
    said = [code, _FIXES.get(code, ""), description, *_messages(entry)]
    told = one_line(clean(": ".join(each for each in said if each)[:READ_LIMIT]))
    return f": {cut(told, REASON_LIMIT)}" if told else ""


def _exception(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The code and the description of what went wrong; of the last attempt that has them."""
    for place in (entry, *reversed(_objects(entry.get("refreshAttempts")))):
        try:
            told = json.loads(place.get("serviceExceptionJson") or "null")
        except (TypeError, ValueError, RecursionError):
            continue
        if isinstance(told, dict):
            return _text(told.get("errorCode")), _text(told.get("errorDescription"))
    return "", ""


def _messages(entry: Mapping[str, Any]) -> list[str]:
    """The first error of those that an enhanced refresh tells."""
    messages = _objects(entry.get("messages"))
    errors = [each for each in messages if each.get("type") != "Warning"]
    return [_text(each.get("message")) or _text(each.get("code")) for each in errors[:1]]


def _objects(told: object) -> list[Mapping[str, Any]]:
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""
