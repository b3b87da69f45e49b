"""Tableau: a refresh renews the extract of a workbook or a data source, or runs a flow.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api.htm
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.errors import PermanentFailure
from subscriber.actions import Action, Handle
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined
from subscriber.outbound import Outbound
from subscriber.progress import Looks, Progress
from subscriber.saying import tableau as saying
from subscriber.saying.tableau import Found, Place
from subscriber.tableau_session import Session, signed_in

T = TypeVar("T")

VERBS = {"workbook": "refresh", "datasource": "refresh", "flow": "run"}
INCREMENTAL_SINCE = (3, 25)
_LUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VERSION = re.compile(r"([0-9]{1,2})\.([0-9]{1,3})")


class Tableau(Destination):
    """`site` is what stands after `/site/` in the browser, "" for a Server's default site.

    `token_name` and `token` are a personal access token: a token has one session, so each delivery
    signs in and out, one at a time. One of `workbook`, `datasource` and `flow` is given, by its
    LUID or by a name that is looked up each time.
    """

    does: ClassVar[Does] = Does.REFRESH
    repeatable: ClassVar[bool] = False  # refused while the first is on the way, else done again
    looks: ClassVar[Looks | None] = Looks(timedelta(seconds=10), timedelta(seconds=60))

    base_url: str = Field(description="your pod of Tableau Cloud, or your own Tableau Server")
    site: str = Field(
        description='what stands after /site/ in the address; "" for a Server\'s default site'
    )
    token_name: str = Field(description="the name that the personal access token was given")
    token: SecretStr = Field(description="where its secret is kept")
    workbook: str | None = Field(
        None, description="what to refresh, by name or id: a workbook, a datasource or a flow"
    )
    datasource: str | None = Field(None, description="what to refresh, by name or id")
    flow: str | None = Field(None, description="what to run, by name or id")
    api_version: str = Field(
        "3.21", description="in quotes; a newer Tableau understands an older version"
    )
    incremental: bool = Field(default=False, description="whether to fetch new rows only")

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        noun, wanted = self._subject
        return self._signed_in(outbound, f"the {noun} {wanted}", self._refresh)

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        site_id, _, job_id = handle.key.partition("/")
        if not job_id:
            raise PermanentFailure("Tableau did not say which job the refresh is: look at it there")

        def look(session: Session) -> Progress:
            if session.site_id != site_id:
                raise PermanentFailure(
                    "the refresh was asked for on another site than the one configured now: look"
                    " at it there"
                )
            return saying.ended(session.get(f"jobs/{quote(job_id, safe='')}"))

        return self.hiding(self._signed_in(outbound, "the job of the refresh", look))

    def examine(self, outbound: Outbound) -> Examined:
        """Whether the token signs in and sees what is to be refreshed.

        To sign in ends another session of the same token: whoever has it signs in again.
        """
        noun, wanted = self._subject

        def look(session: Session) -> Examined:
            if _LUID.fullmatch(wanted):
                session.get(f"{noun}s/{quote(wanted, safe='')}")
            else:
                self._found(session)
            verb = VERBS[noun]
            return Examined(
                f"the token {self.token_name} sees the {noun} {wanted}; untried: to {verb} it"
            )

        return self._signed_in(outbound, f"the {noun} {wanted}", look)

    def shown(self, action: Action) -> str:
        noun, wanted = self._subject
        contents = f"/api/{self.api_version}/sites/SITE/{noun}s"
        lookup = "" if _LUID.fullmatch(wanted) else f"GET {contents}?filter=name:eq:{wanted}\n"
        content = "ID" if lookup else wanted
        return f"{lookup}POST {contents}/{content}/{VERBS[noun]}\n{as_text(self._body)}"

    @property
    def _subject(self) -> tuple[str, str]:
        """What kind of thing is refreshed, and its id or name."""
        ((noun, wanted),) = self._subjects.items()
        return noun, wanted

    @property
    def _subjects(self) -> dict[str, str]:
        given = {"workbook": self.workbook, "datasource": self.datasource, "flow": self.flow}
        return {noun: wanted for noun, wanted in given.items() if wanted is not None}

    @property
    def _body(self) -> dict[str, Any]:
        # something must be there: without a body it is a bad request
        return {"extractRefresh": {"incremental": True}} if self.incremental else {}

    @property
    def _place(self) -> Place:
        return Place(self.base_url, self.site, self.token_name, self.api_version)

    def _refresh(self, session: Session) -> Handle:
        noun, _ = self._subject
        content = self._found(session)
        path = f"{noun}s/{quote(content.id, safe='')}/{VERBS[noun]}"
        job_id = session.post(path, self._body).text("job", "id")
        return Handle(key=f"{session.site_id}/{job_id}" if job_id else "", url=content.url)

    def _found(self, session: Session) -> Found:
        noun, wanted = self._subject
        if _LUID.fullmatch(wanted):
            return Found(wanted)
        listed = session.get(f"{noun}s", filter=f"name:eq:{wanted}")
        return saying.found(self._place, noun, wanted, listed)

    def _signed_in(self, outbound: Outbound, what: str, act: Callable[[Session], T]) -> T:
        with self.keeping_secrets():
            return signed_in(outbound, self._place, self.token.get_secret_value(), what, act)

    @field_validator("site", "token_name", "workbook", "datasource", "flow")
    @classmethod
    def _has_no_white_space_around_it(cls, value: str | None) -> str | None:
        return value.strip() if value is not None else None

    @field_validator("site")
    @classmethod
    def _is_part_of_an_address(cls, value: str) -> str:
        if "/" in value or ":" in value:
            raise ValueError("write only what stands after /site/ in the browser's address")
        return value

    @field_validator("token_name")
    @classmethod
    def _is_said(cls, value: str) -> str:
        if not value:
            raise ValueError("this is empty; it is the name that was given to the token in Tableau")
        return value

    @field_validator("workbook", "datasource", "flow")
    @classmethod
    def _can_be_looked_up(cls, value: str | None) -> str | None:
        if value == "":
            raise ValueError("this is empty; write a name, or an id (a LUID)")
        if value and ("," in value or "&" in value):
            raise ValueError("Tableau looks up no name with a comma or an ampersand: write the id")
        return value

    @field_validator("api_version", mode="before")
    @classmethod
    def _is_a_version(cls, value: object) -> object:
        if not isinstance(value, str) or not _VERSION.fullmatch(value):
            raise ValueError('write it in quotes, as "3.21": a number would lose its last zero')
        return value

    @model_validator(mode="after")
    def _refreshes_one_thing(self) -> Self:
        if len(self._subjects) != 1:
            raise ValueError("name one thing to refresh: a workbook, a datasource or a flow")
        if self.incremental and self.flow is not None:
            raise ValueError("whether a flow is incremental is said in the flow: leave this out")
        major, minor = self.api_version.split(".")
        if self.incremental and (int(major), int(minor)) < INCREMENTAL_SINCE:
            raise ValueError('incremental refreshes need api_version: "3.25" or later')
        return self
