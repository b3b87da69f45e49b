"""Mode: a refresh runs a report anew, and before it the datasets that the report uses.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import AfterValidator, Field, JsonValue, SecretStr

from shared.errors import Failure, TemporaryFailure
from subscriber import fixes, mode_runs
from subscriber.actions import Action, Handle
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined
from subscriber.mode_runs import BadQuery, Stage, State
from subscriber.outbound import Outbound, Reply, UnknownOutcome
from subscriber.progress import Done, Failed, Looks, Progress, Running

DATASETS_LIMIT = 20  # of one report: what is left to be run stands in the handle
QUERIES_LIMIT_BYTES = 8_000_000  # of all queries of a run, whose SQL is told with them
PAUSE_S = 60.0  # after a 429 that does not say: Mode publishes no limit
LOST_S = 60.0  # before a run is begun again whose answer was lost: it may go on

_HEADERS = {"Accept": "application/hal+json"}


def _name(value: str, of: str = "report") -> str:
    if not value.strip() or value.strip() in (".", ".."):
        raise ValueError(f"this is empty; copy it from the {of}'s URL")
    return value.strip()


Name = Annotated[str, AfterValidator(_name)]
DatasetName = Annotated[str, AfterValidator(lambda value: _name(value, "dataset"))]


class Mode(Destination):
    """`workspace` is its name in the URL; `token` and `secret` are a pair made in Mode.

    A report shows the last run of a dataset and does not run it: those of `datasets`, by their
    tokens, are run before the report, one after the other.
    """

    does: ClassVar[Does] = Does.REFRESH
    repeatable: ClassVar[bool] = False  # a second run costs a second set of queries
    looks: ClassVar[Looks | None] = Looks(timedelta(seconds=10), timedelta(seconds=60))

    workspace: Name = Field(
        description="its name in the URL: acme of app.mode.com/acme/reports/5f4dcc3b5aa7"
    )
    report: Name = Field(
        description="the report's token, the last part of that URL; in quotes if it has digits only"
    )
    datasets: tuple[Annotated[DatasetName, Field(max_length=40)], ...] = Field(
        (),
        max_length=DATASETS_LIMIT,
        description="the tokens of datasets that are run before the report",
    )
    token: SecretStr = Field(description="where the first part of an API token is kept")
    secret: SecretStr = Field(description="where its second part, the secret, is kept")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="values of the report's parameters"
    )
    base_url: str = Field("https://app.mode.com", description="another address of Mode")

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        return self._begin(ran=(), left=self.datasets, outbound=outbound)

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        """How far the run is; where a dataset's ended well, the next run is begun."""
        stage = mode_runs.stage(handle.key)
        told = self._get(stage.path, outbound, self._what(stage.dataset))
        state = mode_runs.state(told.content)
        match state:
            case State.ON_ITS_WAY:
                return Running()
            case State.CANCELLED:
                return self._failed(stage, "was cancelled in Mode")
            case State.UNKNOWN:
                return self._failed(stage, "ended in Mode in a state that no page of Mode's names")
            case State.FAILED:
                return self._failed(
                    stage, f"failed in Mode{self._why(told, stage, outbound, state)}"
                )
            case State.TO_BE_LOOKED_INTO:
                why = self._why(told, stage, outbound, state)
                if why:
                    return self._failed(stage, f"was completed in Mode, but not well{why}")
        if not stage.dataset:
            return Done()
        try:
            return Running(self._begin(ran=stage.ran, left=stage.left, outbound=outbound))
        except UnknownOutcome as unknown:
            wait_s = max(LOST_S, unknown.retry_after_s or 0.0)
            raise UnknownOutcome(str(unknown), retry_after_s=wait_s) from None

    def examine(self, outbound: Outbound) -> Examined:
        """Whether the token sees what it is to run: whether it may run that, only a run shows."""
        for dataset in self.datasets:
            with self._fixes(self._what(dataset), begins=False):
                self._asked(self._runs(dataset), outbound)
        report = self._runs().removesuffix("/runs")
        with self._fixes(self._what(""), begins=False):
            told = self._asked(report, outbound)
        if not told.text("token"):
            raise TemporaryFailure("what answered tells of no report: is it Mode?")
        name = fixes.quoted(told.text("name"), *self._basic) or self.report
        is_archived = isinstance(told.content, dict) and told.content.get("archived") is True
        return Examined(
            f"the token sees the report {name}; untried: to run it",
            doubts=("the report is archived in Mode: nobody looks at it",) if is_archived else (),
        )

    def shown(self, action: Action) -> str:
        asked: list[tuple[str, object]] = [(self._runs(each), {}) for each in self.datasets]
        asked.append((self._runs(), self._body(self.datasets)))
        return "\n".join(f"POST {path}\n{as_text(body)}" for path, body in asked)

    def _begin(self, *, ran: tuple[str, ...], left: tuple[str, ...], outbound: Outbound) -> Handle:
        """Run the next dataset, or the report when there is none left."""
        dataset = left[0] if left else ""
        runs = self._runs(dataset)
        with self._fixes(self._what(dataset), begins=True):
            told = outbound.post_json(
                self.base_url + runs,
                {} if dataset else self._body(ran),
                headers=_HEADERS,
                basic=self._basic,
                repeatable=self.repeatable,
            )
        token = told.text("token")
        built = f"{runs}/{quote(token, safe='')}" if token else ""
        found = mode_runs.path(told, "self", self.base_url, built)
        if not found:
            raise UnknownOutcome("what answered does not say which run it began: is it Mode?")
        if dataset:
            return Handle(Stage(found, (*ran, dataset), left[1:]).key())
        url = self.without_secrets(told.text("_links", "web_external_url", "href"))
        return Handle(Stage(found).key(), url)

    def _body(self, datasets: tuple[str, ...]) -> dict[str, Any]:
        """What the report is run with, which pulls in the latest runs of `datasets`."""
        body: dict[str, Any] = {"parameters": self.parameters} if self.parameters else {}
        if datasets:
            body["report"] = {"dataset_tokens": [{"token": each} for each in datasets]}
        return body

    def _why(self, told: Reply, stage: Stage, outbound: Outbound, state: State) -> str:
        """What did not end well in a run, after a colon; empty if Mode tells of nothing."""
        where = mode_runs.path(told, "query_runs", self.base_url, f"{stage.path}/query_runs")
        try:
            listed = outbound.get_json(
                self.base_url + where,
                headers=_HEADERS,
                basic=self._basic,
                answer_limit_bytes=QUERIES_LIMIT_BYTES,
            )
        except Failure as failure:
            # that it failed is told without a reason; that it is good is not told without a look
            if state is State.TO_BE_LOOKED_INTO and isinstance(failure, TemporaryFailure):
                raise
            listed = Reply(0)
        reasons = [self._told(each) for each in mode_runs.bad_queries(listed.content)]
        if mode_runs.notebook_failed(told.content):
            reasons.append("its notebook failed")
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        return f": {reasons[0]}{more}" if reasons else ""

    def _told(self, query: BadQuery) -> str:
        name, error = (fixes.quoted(each, *self._basic) for each in (query.name, query.error))
        return ": ".join(filter(None, [f"query {name or 'without a name'}", error]))

    def _failed(self, stage: Stage, how: str) -> Failed:
        not_run = "; the report was not run" if stage.dataset else ""
        return Failed(f"{self._what(stage.dataset)} {how}{not_run}")

    def _get(self, path: str, outbound: Outbound, what: str) -> Reply:
        with self._fixes(f"the run of {what}", begins=False):
            told = self._asked(path, outbound)
        if not told.text("state"):
            raise TemporaryFailure("what answered tells of no run: is it Mode?")
        return told

    def _asked(self, path: str, outbound: Outbound) -> Reply:
        return outbound.get_json(
            self.base_url + path,
            headers=_HEADERS,
            basic=self._basic,
            answer_limit_bytes=QUERIES_LIMIT_BYTES,
        )

    def _fixes(self, what: str, *, begins: bool) -> AbstractContextManager[None]:
        verb = "run" if begins else "look at"
        said = {
            401: "Mode refuses the token or its secret; make a new pair (API tokens in the "
            "workspace's settings; Mode's API needs a paid plan)",
            403: f"this token may not {verb} {what}; give its owner that right, or take the token "
            "of somebody who has it",
            404: f"Mode has no {what.removeprefix('the ')} in the workspace {self.workspace}, or "
            "does not show it to this token; copy both names from the URL in Mode, and give the "
            "token's owner access to its collection",
        }
        if begins:
            said[400] = (
                f"Mode does not run {what} as it is asked to; compare the names and values of "
                "`parameters` with the report's own, and `datasets` with those that it uses"
            )
        return fixes.named(said, pause_s=PAUSE_S, says=self._said)

    def _said(self, refusal: Reply) -> str:
        """Mode's own words, where they tell more than the status does."""
        said = refusal.text("message") if refusal.status == 400 else ""
        return fixes.quoted(said, *self._basic)

    def _what(self, dataset: str) -> str:
        return f"the dataset {dataset}" if dataset else f"the report {self.report}"

    def _runs(self, dataset: str = "") -> str:
        """The path of the dataset's runs, or of the report's."""
        what = f"datasets/{quote(dataset, safe='')}" if dataset else None
        report = f"reports/{quote(self.report, safe='')}"
        return f"/api/{quote(self.workspace, safe='')}/{what or report}/runs"

    @property
    def _basic(self) -> tuple[str, str]:
        return self.token.get_secret_value(), self.secret.get_secret_value()
