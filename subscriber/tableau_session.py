"""A session at Tableau: a token has one at a time, and a second sign-in ends the first.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_auth.htm
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from shared.errors import Failure, PermanentFailure
from subscriber.outbound import Busy, Outbound, Refused, Reply, UnknownOutcome
from subscriber.saying import tableau as saying
from subscriber.saying.tableau import Place
from subscriber.tokens import named

T = TypeVar("T")

_JSON = {"Accept": "application/json"}  # Tableau speaks XML else


class _Ended(Exception):
    """Somebody else has signed in with the same token."""


@dataclass(frozen=True)
class Session:
    """Requests to the site where somebody has signed in."""

    site_id: str
    _outbound: Outbound
    _api: str
    _headers: Mapping[str, str] = field(repr=False)

    def get(self, path: str, **query: str) -> Reply:
        """What is asked so starts nothing: whether it is answered or not, that is known."""
        with _nothing_started():
            return self._outbound.get_json(self._at(path), headers=self._headers, params=query)

    def post(self, path: str, body: object) -> Reply:
        """Not repeated by itself. Raises UnknownOutcome where it may have been carried out."""
        url = self._at(path)
        return self._outbound.post_json(url, body, headers=self._headers, repeatable=False)

    def sign_out(self) -> None:
        """A session that is left open ends by itself, or with the next sign-in."""
        with suppress(Failure):
            url = f"{self._api}/auth/signout"
            self._outbound.post_json(url, b"", headers=self._headers, repeatable=False)

    def _at(self, path: str) -> str:
        return f"{self._api}/sites/{quote(self.site_id, safe='')}/{path}"


def signed_in(
    outbound: Outbound, place: Place, secret: str, what: str, act: Callable[[Session], T]
) -> T:
    """What `act` returns, in a session of its own, while no other thread has one with this token.

    If another process ends the session, `act` is made once more from its beginning. `what` is what
    it is about, for refusals. Raises TemporaryFailure or PermanentFailure.
    """
    with outbound.tokens.alone(named(place.base_url, secret)):
        with suppress(_Ended):
            return _in_a_session(outbound, place, secret, what, act)
        try:
            return _in_a_session(outbound, place, secret, what, act)
        except _Ended:
            raise saying.session_lost(place) from None


def _in_a_session(
    outbound: Outbound, place: Place, secret: str, what: str, act: Callable[[Session], T]
) -> T:
    with _in_words(place):
        session = _sign_in(outbound, place, secret)
    try:
        with _in_words(place):
            return act(session)
    except Refused as refused:
        if refused.status == 401:
            raise _Ended from None
        raise saying.refused(place, what, refused) from None
    finally:
        session.sign_out()


def _sign_in(outbound: Outbound, place: Place, secret: str) -> Session:
    api = f"{place.base_url}/api/{place.api_version}"
    credentials = {
        "personalAccessTokenName": place.token_name,
        "personalAccessTokenSecret": secret,
        "site": {"contentUrl": place.site},
    }
    try:
        with _nothing_started():
            answer = outbound.post_json(
                f"{api}/auth/signin", {"credentials": credentials}, headers=_JSON
            )
    except Refused as refused:
        raise saying.sign_in_refused(place, refused) from None
    token = answer.text("credentials", "token")
    site_id = answer.text("credentials", "site", "id")
    if not token or not site_id:
        raise PermanentFailure(
            f"{place.host} answered the sign-in with no session: is `base_url` a Tableau's?"
        )
    return Session(site_id, outbound, api, _JSON | {"X-Tableau-Auth": token})


@contextmanager
def _nothing_started() -> Iterator[None]:
    """What goes unanswered in here is no unknown outcome: it has started no refresh."""
    try:
        yield
    except UnknownOutcome as unknown:
        raise Busy(
            str(unknown),
            status=unknown.status,
            retry_after_s=unknown.retry_after_s,
            reply=unknown.reply,
        ) from None


@contextmanager
def _in_words(place: Place) -> Iterator[None]:
    try:
        yield
    except Busy as busy:
        raise saying.too_often(place, busy) from None
