"""Tableau's REST API: one session a token, and jobs that advance when somebody asks for them.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api.htm
"""

import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from lab import tableau_content, tableau_job
from lab.faults import Faults, WithFaults
from lab.limits import Window
from lab.tableau_call import Answer, Call, Refusal, no_such_path, route
from lab.tableau_content import Content, Kind
from lab.tableau_job import POLLS, FinishCode, Job
from lab.timeline import Timeline

SIDE = "Tableau"
VERSION = (3, 27)
INCREMENTAL_SINCE = (3, 25)
REQUESTS_A_MINUTE = 600  # Tableau publishes no number


class Tableau:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `finish_code` and `notes` are how the jobs that are asked for from now on will end. A token
    that `has_lapsed`, because nobody used it for 15 days or somebody revoked it, signs nobody in.
    """

    def __init__(
        self,
        *,
        site: str,
        pat_name: str,
        pat_secret: str,
        workbooks: Iterable[Content] = (),
        datasources: Iterable[Content] = (),
        flows: Iterable[Content] = (),
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.finish_code: FinishCode = 0
        self.notes = ""
        self.has_lapsed = False
        self.sign_ins = 0
        self.faults = Faults()
        self.window = Window(REQUESTS_A_MINUTE, timedelta(minutes=1), clock)
        self.site_id = str(uuid.uuid4())
        self._site, self._pat = site, (pat_name, pat_secret)
        self._contents = {
            Kind.WORKBOOK: {each.id: each for each in workbooks},
            Kind.DATASOURCE: {each.id: each for each in datasources},
            Kind.FLOW: {each.id: each for each in flows},
        }
        self._timeline = timeline or Timeline()
        self._clock = clock
        self._session: str | None = None
        self._jobs: dict[str, Job] = {}
        routes = [
            route("GET", "serverinfo", self._within_limits(self._server_info)),
            route("POST", "auth/signin", self._within_limits(self._sign_in)),
            route("POST", "auth/signout", self._within_limits(self._sign_out)),
            route("GET", "sites/{site}/jobs/{id}", self._within_limits(self._poll)),
        ]
        for kind in Kind:
            contents = f"sites/{{site}}/{kind.plural}"
            listing, refreshing = self._listing(kind), self._refreshing(kind)
            routes += [
                route("GET", contents, self._within_limits(listing)),
                route("GET", f"{contents}/{{id}}", self._within_limits(self._showing(kind))),
                route("POST", f"{contents}/{{id}}/{kind.verb}", self._within_limits(refreshing)),
            ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: no_such_path})
        self.app: ASGIApp = WithFaults(app, self.faults)

    @property
    def jobs(self) -> list[Job]:
        """All jobs as they are now, in the order in which they were asked for."""
        return list(self._jobs.values())

    def end_jobs(self) -> None:
        """End what is on the way, as if somebody had asked often enough."""
        for job in self.jobs:
            if not job.is_over:
                self._keep(replace(job, polls=POLLS, updated_at=self._clock()))

    @property
    def is_signed_in(self) -> bool:
        """Whether somebody has signed in with the token and not yet out."""
        return self._session is not None

    def _within_limits(self, act: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        def limited(call: Call) -> Answer:
            if not (2, 0) <= call.version <= VERSION:
                raise Refusal("404003", "Resource Not Found", "This version is not spoken here")
            if self.window.take() is not None:
                raise Refusal("429000", "Too Many Requests", "Ask again later")
            return act(call)

        return limited

    def _server_info(self, _: Call) -> Answer:
        version = ".".join(map(str, VERSION))
        product = {"build": "20262.26.0101.0000", "value": "2026.2.0"}
        return 200, {"serverInfo": {"productVersion": product, "restApiVersion": version}}

    def _sign_in(self, call: Call) -> Answer:
        given = call.content.get("credentials")
        if not isinstance(given, dict) or not isinstance(given.get("site"), dict):
            raise Refusal("400000", "Bad Request", "There are no credentials with a site")
        names = ("personalAccessTokenName", "personalAccessTokenSecret")
        same = [
            compare_digest(str(given.get(name)).encode(), ours.encode())
            for name, ours in zip(names, self._pat, strict=True)
        ]
        is_site = given["site"].get("contentUrl") == self._site
        if not all(same) or not is_site or self.has_lapsed:
            raise Refusal("401001", "Signin Error", "Error signing in to Tableau Server")
        self.sign_ins += 1
        # the session that this token had until now is over
        self._session = f"{secrets.token_hex(8)}|{secrets.token_hex(16)}|{self.site_id}"
        site = {"id": self.site_id, "contentUrl": self._site}
        user = {"id": "9f9e9d9c-8b8a-8f8e-7d7c-7b7a6f6d6e6d"}
        return 200, {"credentials": {"site": site, "user": user, "token": self._session}}

    def _sign_out(self, call: Call) -> Answer:
        self._be_signed_in(call)
        self._session = None
        return 204, None

    def _listing(self, kind: Kind) -> Callable[[Call], Answer]:
        def act(call: Call) -> Answer:
            self._be_on_site(call)
            contents = self._contents[kind].values()
            found = tableau_content.named(contents, call.query.get("filter"))
            page = None if found is None else tableau_content.page(kind, found, call.query)
            if page is None:
                raise Refusal("400006", "Bad Request", "The filter or the page is none")
            return 200, page

        return act

    def _showing(self, kind: Kind) -> Callable[[Call], Answer]:
        def act(call: Call) -> Answer:
            self._be_on_site(call)
            content = self._contents[kind].get(call.path["id"])
            if content is None:
                raise _not_found(kind, call.path["id"])
            return 200, {kind.noun: tableau_content.told(kind, content)}

        return act

    def _refreshing(self, kind: Kind) -> Callable[[Call], Answer]:
        def act(call: Call) -> Answer:
            self._be_on_site(call)
            incremental = _incremental(kind, call)
            content = self._contents[kind].get(call.path["id"])
            self._may_be_refreshed(kind, call.path["id"], content)
            now = self._clock()
            job_id = str(uuid.uuid4())
            ending = (self.finish_code, self.notes)
            job = Job(job_id, kind, cast(Content, content), incremental, *ending, now, now)
            return 202, self._keep(job)

        return act

    def _may_be_refreshed(self, kind: Kind, content_id: str, content: Content | None) -> None:
        if content is None:
            raise _not_found(kind, content_id)
        if not content.may_refresh:
            raise Refusal("403004", "Forbidden", f"You may not refresh this {kind.noun}")
        if content.is_live:
            # so labelled by Tableau, whatever the number says
            detail = f"Extract operation for the {kind.noun} '{content.name}' is not allowed."
            raise Refusal("409090", "Bad Request", detail)
        if any(job.subject == (kind, content_id) and not job.is_over for job in self.jobs):
            detail = "Job for 'extract' is already queued. Not queuing a duplicate."
            raise Refusal("409093", "Resource Conflict", detail)

    def _poll(self, call: Call) -> Answer:
        self._be_on_site(call)
        job = self._jobs.get(call.path["id"])
        if job is None:
            # a guess, as for flows
            raise Refusal("404031", "Resource Not Found", "There is no such job")
        if not job.is_over:
            job = replace(job, polls=job.polls + 1, updated_at=self._clock())
        return 200, self._keep(job)

    def _be_signed_in(self, call: Call) -> None:
        given = call.headers.get("x-tableau-auth", "")
        if self._session is None or not compare_digest(given.encode(), self._session.encode()):
            detail = "Invalid authentication credentials were provided"
            raise Refusal("401002", "Unauthorized Access", detail)

    def _be_on_site(self, call: Call) -> None:
        self._be_signed_in(call)
        if call.path["site"] != self.site_id:
            detail = f"Site '{call.path['site']}' could not be found."
            raise Refusal("404000", "Resource Not Found", detail)

    def _keep(self, job: Job) -> Mapping[str, Any]:
        before = self._jobs.get(job.id)
        self._jobs[job.id] = job
        if before is None or before.state != job.state:
            noun, name = job.kind.noun, job.content.name
            facts = {noun: job.content.id, "job": job.id, "state": job.state}
            self._timeline.saw(SIDE, f"{noun} refresh {job.state}: {name}", **facts)
        return {"job": tableau_job.told(job)}


def _not_found(kind: Kind, content_id: str) -> Refusal:
    detail = f"{kind.noun.title()} '{content_id}' could not be found."
    return Refusal(kind.not_found, "Resource Not Found", detail)


def _incremental(kind: Kind, call: Call) -> bool:
    """Whether the body, in which an element must be, asks for what is new only."""
    asked = call.content.get("extractRefresh")
    if asked is None:
        return False
    said = asked.get("incremental") if isinstance(asked, dict) else None
    if kind is Kind.FLOW or call.version < INCREMENTAL_SINCE or said is None:
        raise Refusal("400000", "Bad Request", "The body has an element that is unknown here")
    return str(said).lower() == "true"
