"""Runs that come to a story one after the other, each with an event of its own."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from subscriber.run import Answer, Result, Status
from subscriber.silences import Silence, Silences
from tests.builders import a_body, a_result
from tests.subscriber.story import Story, a_rule

ORDERS, ITEMS, STOCK = "model.shop.orders", "model.shop.items", "model.shop.stock"
PEOPLE = a_rule("people hear", "people", outcome="failed")
ONCALL = a_rule("oncall hears", "oncall", outcome="failed")


def by_run(*verbs_and_runs: tuple[str, int]) -> list[str]:
    """What `Received.verbs` says of alerts of job 7, by the run that opened them."""
    return [f"{verb} afterrun/1/job/7/{run}" for verb, run in verbs_and_runs]


@dataclass
class Runs:
    """Each method tells `story` of one run of job 7 that ends now, unless told otherwise."""

    story: Story
    told: int = 0

    def fails(
        self, run_id: int, *nodes: str, error: str = "no such column", **told: str | int | None
    ) -> None:
        self.comes(
            run_id, Answer(results=tuple(a_result(node, message=error) for node in nodes)), **told
        )

    def succeeds(self, run_id: int, *nodes: str, **told: str | int | None) -> None:
        results = tuple(Result(node, Status.GOOD, "success") for node in nodes)
        good = {"status": "Success", "code": 10, **told}
        self.comes(run_id, Answer(results=results, is_complete=True), **good)

    def is_cancelled(self, run_id: int) -> None:
        self.comes(run_id, Answer(), status="Cancelled", code=30)

    def comes(self, run_id: int, answer: Answer, **told: str | int | None) -> None:
        """A run that failed unless `told` otherwise, of which dbt Cloud knows `answer`."""
        self.told += 1
        self.story.dbt_cloud.answer = answer
        ended_at = self.story.clock().isoformat()
        fields: dict[str, Any] = {"event_id": f"wev_{self.told}", "runFinishedAt": ended_at}
        self.story.comes(a_body(**{"run_id": run_id, **fields, **told}))


def silenced(
    story: Story, minutes: int = 60, *, episode: str = "", comment: str = "", **matchers: object
) -> Silence:
    """A silence that begins now; of destination `people` unless told otherwise."""
    return Silences(story.ledger, story.clock).add(
        length=timedelta(minutes=minutes),
        author="Ada",
        comment=comment or "migration",
        matchers=matchers or ({} if episode else {"destination": "people"}),
        episode=episode,
    )
