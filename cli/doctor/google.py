"""Google: who we are there, and what its APIs answer. Nothing here changes anything.

Source: https://cloud.google.com/apis/docs/overview
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.outbound import Outbound, Refused

LOG_IN = "gcloud auth application-default login"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class NotFound(PermanentFailure):
    """There is nothing of that name."""


class NoProject(PermanentFailure):
    """There are credentials, and none of them names a project."""


class MayNot(PermanentFailure):
    """These credentials may not look at it, or its API is not enabled."""


@dataclass(frozen=True)
class Google:
    """Asks Google's APIs in the name of `identity`. Raises NotFound, MayNot, or what Outbound does.

    `place` is the base URL of a service: `https://SERVICE.googleapis.com`, or a stand-in's.
    """

    project: str
    identity: str
    outbound: Outbound
    headers: Callable[[], Mapping[str, str]] = field(repr=False)
    place: Callable[[str], str] = "https://{}.googleapis.com".format
    is_stand_in: bool = False

    def get(self, service: str, path: str) -> dict[str, Any]:
        return self._asked(service, path, None)

    def policy(self, service: str, resource: str) -> dict[str, frozenset[str]]:
        """Who has which role on `resource` itself, by the role; not what its project grants."""
        told = self._asked(service, f"{resource}:getIamPolicy", None)
        return members(told)

    def may(self, service: str, resource: str, *permissions: str) -> frozenset[str]:
        """Those of `permissions` that these credentials have on `resource`."""
        asked = {"permissions": list(permissions)}
        told = self._asked(service, f"{resource}:testIamPermissions", asked)
        granted = told.get("permissions")
        return frozenset(map(str, granted if isinstance(granted, list) else ()))

    def _asked(self, service: str, path: str, body: object) -> dict[str, Any]:
        url = f"{self.place(service)}/{path}"
        try:
            if body is None:
                reply = self.outbound.get_json(url, headers=self.headers())
            else:
                reply = self.outbound.post_json(url, body, headers=self.headers())
        except Refused as refused:
            if refused.status == 404:
                raise NotFound(f"{service}.googleapis.com has no such thing") from None
            if refused.status in (401, 403):
                raise MayNot(_why_not(service, refused)) from None
            raise
        if not isinstance(reply.content, dict):
            raise TemporaryFailure(f"{service}.googleapis.com: what answered is not Google's API")
        return reply.content


def members(policy: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Who has which role by an IAM policy, by the role; conditions are not looked at. Pure."""
    found: dict[str, frozenset[str]] = {}
    bindings = policy.get("bindings")
    for binding in bindings if isinstance(bindings, list) else ():
        if isinstance(binding, dict) and isinstance(binding.get("members"), list):
            role = str(binding.get("role"))
            found[role] = found.get(role, frozenset()) | frozenset(map(str, binding["members"]))
    return found


def _why_not(service: str, refused: Refused) -> str:
    said = refused.reply.text("error", "message").lower()
    if "has not been used" in said or "is disabled" in said:
        return f"the API {service}.googleapis.com is not enabled in the project"
    if "quota project" in said:
        return "these credentials name no quota project"
    return "these credentials may not look at it"


def found(project: str | None, outbound: Outbound) -> Google:
    """Google as the credentials of this machine see it.

    Raises PermanentFailure if there are none, or they are refused; NoProject if no project is
    known; TemporaryFailure if Google is away.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    # it warns of each server that it looks for and that is not there
    logging.getLogger("google.auth").setLevel(logging.ERROR)
    try:
        credentials, named = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError:
        raise PermanentFailure("there are no Google credentials here") from None
    if not (project or named):
        raise NoProject("there are Google credentials, but no project is known")
    _headers(credentials)
    email = getattr(credentials, "service_account_email", "") or getattr(credentials, "account", "")
    return Google(
        project=str(project or named),
        identity=email if "@" in str(email) else "your own credentials",
        outbound=outbound,
        headers=lambda: _headers(credentials),
    )


def of_stand_in(url: str, project: str, outbound: Outbound) -> Google:
    """Google as a stand-in at `url` plays it: the service's name begins each path."""
    return Google(
        project=project,
        identity="operator@example.com",
        outbound=outbound,
        headers=lambda: {"Authorization": "Bearer stand-in"},
        place=lambda service: f"{url}/{service}",
        is_stand_in=True,
    )


def _headers(credentials: Any) -> dict[str, str]:
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    try:
        if not credentials.valid:
            credentials.refresh(Request())
    except TransportError:
        raise TemporaryFailure("Google could not be reached for a token") from None
    except GoogleAuthError:
        raise MayNot("the Google credentials here have expired or were revoked") from None
    headers = {"Authorization": f"Bearer {credentials.token}"}
    quota = getattr(credentials, "quota_project_id", None)
    return headers | ({"x-goog-user-project": str(quota)} if quota else {})
