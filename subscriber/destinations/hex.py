"""Hex: a refresh runs a project and puts the results into its published app.

Source: https://learn.hex.tech/docs/api/api-reference
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import Field, JsonValue, SecretStr, field_validator

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.actions import Action, Handle
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome
from subscriber.progress import Done, Looks, Progress, Running
from subscriber.saying import hex as saying

_ON_THE_WAY = ("PENDING", "RUNNING")


class Hex(Destination):
    """`project` is its id; `inputs` are values for inputs of its published app.

    Hex does not take `inputs` together with an update of the published results: with them the
    project runs, and what its app shows to everybody stays as it was.
    """

    does: ClassVar[Does] = Does.REFRESH
    repeatable: ClassVar[bool] = False  # a second run costs a second set of queries
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = (
        (20, timedelta(minutes=1)),
        (60, timedelta(hours=1)),
    )
    looks: ClassVar[Looks | None] = Looks(timedelta(seconds=10), timedelta(seconds=60))

    token: SecretStr = Field(description="where the API token is kept")
    project: str = Field(
        description="the project's id: in the project, the variable hex_project_id"
    )
    inputs: dict[str, JsonValue] = Field(
        default_factory=dict, description="values for inputs of the published app"
    )
    base_url: str = Field(
        "https://app.hex.tech", description="the address of a single-tenant, EU or HIPAA stack"
    )

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        with self._refusals(saying.NO_PROJECT, "start 20 runs a minute and 60 an hour"):
            answer = outbound.post_json(
                self._runs(self.project),
                self.body(),
                headers=self._headers(),
                repeatable=self.repeatable,
            )
        run = answer.text("runId")
        if not run:
            raise PermanentFailure(
                f"Hex answered {answer.status} and named no run that could be followed: "
                "is `base_url` the address of your Hex?"
            )
        url = self.without_secrets(answer.text("runUrl"))
        return Handle(key=f"{self.project}/{run}", url=url)

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        project, _, run = handle.key.partition("/")
        with self._refusals(saying.NO_RUN, "ask 60 times a minute"):
            url = f"{self._runs(project)}/{quote(run, safe='')}"
            answer = outbound.get_json(url, headers=self._headers())
        status = answer.text("status")
        if status in saying.ENDS:
            return saying.ENDS[status]
        if status == "COMPLETED":
            return Done()
        if status not in _ON_THE_WAY:
            raise TemporaryFailure("Hex told a state of the run that is not known here")
        return Running()

    def examine(self, outbound: Outbound) -> Examined:
        """Hex goes through what it would do, and does nothing of it (`dryRun`)."""
        with self._refusals(saying.NO_PROJECT, "start 20 runs a minute and 60 an hour"):
            answer = outbound.post_json(
                self._runs(self.project), self.body() | {"dryRun": True}, headers=self._headers()
            )
        if not isinstance(answer.content, dict):
            raise PermanentFailure("what answered is not Hex: is `base_url` its address?")
        return Examined(f"Hex would run the project {self.project}")

    def shown(self, action: Action) -> str:
        return as_text(self.body())

    def body(self) -> dict[str, Any]:
        """How the project is to be run. Hex refuses keys that it does not know. Pure."""
        if self.inputs:
            return {"inputParams": self.inputs, "useCachedSqlResults": False}
        return {"updatePublishedResults": True, "useCachedSqlResults": False}

    def _runs(self, project: str) -> str:
        return f"{self.base_url}/api/v1/projects/{quote(project, safe='')}/runs"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token.get_secret_value()}"}

    @contextmanager
    def _refusals(self, gone: str, limit: str) -> Iterator[None]:
        try:
            yield
        except UnknownOutcome:
            raise
        except Busy as failure:
            raise saying.busy(failure, limit) from None
        except Refused as refusal:
            raise saying.refused(refusal, self.inputs, gone) from None

    @field_validator("project")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        try:
            return str(uuid.UUID(value.strip()))
        except ValueError:
            raise ValueError(
                "this is no project id; in the project, it is the variable hex_project_id"
            ) from None

    @field_validator("inputs")
    @classmethod
    def _can_be_sent(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            raise ValueError("a number of these is .nan or .inf, which JSON has not") from None
        return value
