"""What Tableau answers, in words: which of several is meant, what mends a refusal, how a job ended.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_errors.htm
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from shared.errors import Failure, PermanentFailure, TemporaryFailure
from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean
from subscriber.outbound import Busy, Refused, Reply
from subscriber.progress import Done, Failed, Progress, Running

QUEUED_S = 60.0  # how soon to ask again while another refresh is on the way
NOTES_LIMIT, NAME_LIMIT = 300, 100  # characters
SHOWN = 5  # of several with one name
_READ = 5_000  # characters of a job's notes that are looked at
_CODE = re.compile(r"([0-9]{6})")
_CODE_IN_XML = re.compile(r"""\bcode=["']([0-9]{6})["']""")


@dataclass(frozen=True)
class Place:
    """Where Tableau is asked, and as whom: for sentences."""

    base_url: str
    site: str
    token_name: str
    api_version: str

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or "Tableau"

    @property
    def named_site(self) -> str:
        return f"the site {self.site}" if self.site else "the default site"


def sign_in_refused(place: Place, refused: Refused) -> Refused:
    """Why nobody was let in, and what mends it."""
    version = f"version {place.api_version} of Tableau's API"
    if _code(refused.reply) == "404000":
        why = (
            f"knows no site {place.site or 'without a name'}: copy `site` from Tableau's address in"
            " the browser, after /site/"
        )
        return Refused(f"{place.host} {why}", refused.status, refused.reply)
    known = {
        400: f"did not understand the sign-in: does it speak {version} (`api_version`)?",
        401: (
            f"does not let the token {place.token_name} in: it has lapsed after 15 days without use"
            " or was revoked, its name or secret is another, or there is no site"
            f" {place.site or 'without a name'}; make a new token in Tableau (My Account Settings,"
            " Personal Access Tokens), and copy `site` from the address there, after /site/"
        ),
        403: (
            f"does not let the token {place.token_name} in: an administrator of {place.named_site}"
            " is to allow its owner to use personal access tokens"
        ),
        404: f"does not know {version}: check `base_url` and `api_version`",
    }
    found = known.get(refused.status)
    return Refused(f"{place.host} {found}", refused.status, refused.reply) if found else refused


def refused(place: Place, what: str, refused: Refused) -> Failure:
    """Why `what` (a refresh's subject, or its job) was refused, and what mends it."""
    code = _code(refused.reply)
    if code == "409093":
        return TemporaryFailure(
            f"a refresh of {what} is on the way at {place.host} already, and may have read the data"
            " from before this run: asked for again when it has ended",
            retry_after_s=QUEUED_S,
        )
    why = _why(place, what, code, refused.status)
    if why is None:
        return refused
    return Refused(f"{place.host}: {why}", refused.status, refused.reply)


def too_often(place: Place, busy: Busy) -> Busy:
    """The same, where Tableau says that it was asked too often."""
    if busy.status != 429:
        return busy
    return Busy(
        f"{place.host} answered 429: it is asked too often for now; should that last, refresh less"
        " often, or fewer things",
        status=busy.status,
        retry_after_s=busy.retry_after_s,
        reply=busy.reply,
    )


def session_lost(place: Place) -> TemporaryFailure:
    """Twice in a row, the session ended before the request that it was for."""
    return TemporaryFailure(
        f"{place.host}: somebody else signs in with the token {place.token_name}, which ends the"
        " session that we have: a token has one at a time; give whoever it is one of their own"
    )


@dataclass(frozen=True)
class Found:
    """What is to be refreshed. `url` is its page for people, empty if that is not known."""

    id: str
    url: str = ""


def found(place: Place, noun: str, name: str, reply: Reply) -> Found:
    """Which of those that `reply` lists is called `name`. Raises PermanentFailure unless one is."""
    named = [each for each in _listed(reply.content, noun) if each.get("name") == name]
    if len(named) == 1 and isinstance(named[0].get("id"), str):
        url = named[0].get("webpageUrl")
        is_shown = isinstance(url, str) and url.startswith(("https://", "http://"))
        return Found(named[0]["id"], str(url) if is_shown else "")
    if not named:
        number = "; the number in a browser's address is neither a name nor an id"
        raise PermanentFailure(
            f"{place.host}: there is no {noun} called {name} on {place.named_site}, or the owner of"
            f" the token {place.token_name} may not see it; capitals count"
            f"{number if name.isdigit() else ''}"
        )
    several = "; ".join(_where(each) for each in named[:SHOWN])
    more = f"; and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    raise PermanentFailure(
        f"{place.host}: {len(named)} {noun}s on {place.named_site} are called {name}: write the id"
        f" of the one that is meant, in place of the name: {several}{more}"
    )


def ended(reply: Reply) -> Progress:
    """How far a job is: it is over once `completedAt` is there, whatever the code said before.

    Raises TemporaryFailure if `reply` tells of no job.
    """
    job = _object(reply.content, "job")
    if not job:
        raise TemporaryFailure("Tableau was asked for a job and answered something else")
    if not job.get("completedAt"):
        return Running()
    code = _line(str(job.get("finishCode", "")), 10)
    what, notes = _subject(job)
    if code in ("0", "3"):
        return Done()
    if code == "1":
        return Failed(f"Tableau could not refresh {what}{notes}")
    if code == "2":
        return Failed(f"the refresh of {what} was cancelled in Tableau{notes}")
    return Failed(f"the refresh of {what} ended with the unknown finish code {code or '(none)'}")


def _why(place: Place, what: str, code: str, status: int) -> str | None:
    if code == "409090":
        return (
            f"there is no extract of {what} to refresh: it is a live connection, or stands on a"
            " published data source; refresh that data source instead (`datasource`)"
        )
    if code == "400031":
        return "this version of Tableau cannot tell how an incremental refresh ended"
    if code == "404000":
        return f"{place.named_site} is not there any more, or not for the token's owner"
    if code in ("404001", "404003"):
        return f"version {place.api_version} of its API has no such call: check `api_version`"
    return {
        400: f"the request to refresh {what} was not understood: check `api_version` and its id",
        403: (
            f"the owner of the token {place.token_name} may not refresh {what}: give them the"
            " permission, or use a token of somebody who can refresh it in Tableau"
        ),
        404: (
            f"{what} is not on {place.named_site}, or the owner of the token {place.token_name} may"
            " not see it"
        ),
        409: f"it is in conflict with what {what} is doing (code {code or 'unknown'})",
    }.get(status)


def _code(reply: Reply) -> str:
    """Tableau's code of a refusal, six digits; empty if it says none.

    JSON was asked for; what stands before a Tableau Server may have it say XML all the same.
    """
    in_json = str(_object(reply.content, "error").get("code", ""))
    found = _CODE.fullmatch(in_json) or _CODE_IN_XML.search(reply.body)
    return found[1] if found else ""


def _subject(job: Mapping[str, Any]) -> tuple[str, str]:
    """What the job was to refresh, and what Tableau notes of it."""
    details = _object(job, "extractRefreshJob") or _object(job, "runFlowJobType")
    said = _line(" ".join(dict.fromkeys(_notes(job))), NOTES_LIMIT)
    told = f": {said}" if said else ""
    for noun in ("workbook", "datasource", "flow"):
        name = _object(details, noun).get("name")
        if isinstance(name, str):
            return f"the {noun} {_line(name, NAME_LIMIT)}", told
    return "what was asked for", told


def _notes(found: object, *, within: bool = False) -> Iterator[str]:
    """What stands under `notes` and `statusNotes`, however it is nested there."""
    if isinstance(found, str) and within:
        yield found
    elif isinstance(found, list):
        for each in found:
            yield from _notes(each, within=within)
    elif isinstance(found, dict):
        for name, each in found.items():
            # a status note has a type and a value beside its text
            is_text = within and name not in ("type", "value")
            yield from _notes(each, within=is_text or name in ("notes", "statusNotes"))


def _where(listed: Mapping[str, Any]) -> str:
    project = _object(listed, "project").get("name")
    within = f" in the project {_line(project, NAME_LIMIT)}" if isinstance(project, str) else ""
    return f"{_line(str(listed.get('id')), 40)}{within}"


def _listed(content: object, noun: str) -> Iterator[Mapping[str, Any]]:
    listed = _object(content, f"{noun}s").get(noun)
    if isinstance(listed, list):
        yield from (each for each in listed if isinstance(each, dict))


def _object(content: object, name: str) -> Mapping[str, Any]:
    value = content.get(name) if isinstance(content, Mapping) else None
    return value if isinstance(value, dict) else {}


def _line(text: str, limit: int) -> str:
    return cut(one_line(clean(text[:_READ])), limit)
