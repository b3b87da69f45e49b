"""The story that `make run` plays, and what it proves."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab.dbt_cloud import samples, variations
from lab.dbt_cloud.events import Event
from lab.dbt_cloud.state import Run
from lab.stand_ins import WEBHOOK_SECRET
from lab.timeline import Moment
from lab.world import World

PATIENCE_S = 20.0  # how long any act may take before the story goes on without it

REASON = "The data source's password has expired"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Proof:
    what: str
    holds: bool


def play(world: World, say: Say) -> list[Proof]:
    """Play the story; `say` is told the title of each act. Returns what was proven, or was not."""
    _a_good_run_refreshes(world, say)
    run, failed = _a_run_fails(world, say)
    refused = _somebody_forges(world, say, failed)
    again = _the_same_failure_again(world, say)
    _another_node_fails(world, say)
    _the_next_run_recovers(world, say)
    _the_refreshes_end(world, say)
    return list(_proofs(world, run, failed, refused, again))


def _a_run_fails(world: World, say: Say) -> tuple[Run, Event]:
    say("A production run fails, and dbt Cloud sends its event twice")
    run = world.stand_ins.cloud.run(sample="model_error")
    event = world.stand_ins.cloud.webhooks.event(run, "job.run.completed")
    for _ in range(2):
        world.stand_ins.cloud.webhooks.deliver(event, world.receiver.url, WEBHOOK_SECRET)
    _wait(world, lambda: len(world.stand_ins.pagerduty.alerts) > 0 and _all_is_taken(world))
    return run, event


def _somebody_forges(world: World, say: Say, event: Event) -> list[int | None]:
    say("Somebody posts forged events: with a wrong signature, and with none")
    return [
        world.stand_ins.cloud.webhooks.forge(event, world.receiver.url),
        world.stand_ins.cloud.webhooks.forge(event, world.receiver.url, None),
    ]


def _the_same_failure_again(world: World, say: Say) -> int:
    """Returns how many events PagerDuty had got by the end of the act."""
    say("The next run fails for the same reason: nobody is told again")
    _send(world, world.stand_ins.cloud.run(sample="model_error"))
    _wait(world, lambda: _all_is_taken(world))
    return len(world.stand_ins.pagerduty.requests)


def _another_node_fails(world: World, say: Say) -> None:
    say("That is mended, but another node fails: the alert says what changed")
    broken = variations.failing(samples.load("success"), "customers")
    _send(world, world.stand_ins.cloud.run(sample=broken))
    _wait(world, lambda: _all_is_taken(world))


def _the_next_run_recovers(world: World, say: Say) -> None:
    say("The next run of the job is good: the alert is closed")
    _send(world, world.stand_ins.cloud.run(sample="success"))
    _wait(world, lambda: not world.stand_ins.pagerduty.open_alerts and _all_is_taken(world))


def _a_good_run_refreshes(world: World, say: Say) -> None:
    say("A run of the job behind the revenue dashboards is good: they are refreshed")
    stands = world.stand_ins
    stands.tableau.finish_code, stands.tableau.notes = 1, REASON
    _send(world, stands.cloud.run(stands.cloud.add_job("Revenue marts"), sample="success"))
    _wait(world, lambda: bool(stands.mode.runs and stands.tableau.jobs) and _all_is_taken(world))


def _the_refreshes_end(world: World, say: Say) -> None:
    say("Both refreshes are followed to their ends: one has failed, and people hear why")
    stands = world.stand_ins
    stands.mode.end_runs()
    stands.tableau.end_jobs()
    told = "delivered: data-alerts, open"
    _wait(
        world,
        lambda: (
            _ends(world).keys() >= {"revenue", "sales"}
            and [moment.what for moment in stands.timeline.moments].count(told) > 1
        ),
    )


def _ends(world: World) -> dict[str, str]:
    """How each refresh ended of which the subscriber has written it down, by its destination."""
    return {
        moment.facts["destination"]: moment.facts["outcome"]
        for moment in world.stand_ins.timeline.moments
        if moment.facts.get("message") == "refresh ended"
    }


def _send(world: World, run: Run) -> None:
    webhooks = world.stand_ins.cloud.webhooks
    webhooks.send(run, "job.run.completed", world.receiver.url, WEBHOOK_SECRET)


def _all_is_taken(world: World) -> bool:
    """Whether the subscriber was seen to take every event that was published."""
    moments = world.stand_ins.timeline.moments
    subscription = world.queue.subscription("dbt-cloud-events")
    taken = [
        moment
        for moment in moments
        if moment.facts.get("subscription") == subscription and moment.facts.get("status") == "200"
    ]
    return len(taken) >= len(_published(world, moments))


def _published(world: World, moments: list[Moment]) -> list[str | None]:
    """The ids of the events that Pub/Sub took."""
    return [
        moment.facts.get("event_id")
        for moment in moments
        if moment.what.startswith("published") and moment.facts.get("topic") == world.queue.events
    ]


def _wait(world: World, until: Callable[[], bool]) -> bool:
    return world.stand_ins.timeline.wait(lambda _: until(), PATIENCE_S)


def _proofs(
    world: World, run: Run, failed: Event, refused: list[int | None], again: int
) -> Iterator[Proof]:
    moments = world.stand_ins.timeline.moments
    published = _published(world, moments)
    accepted = [moment for moment in moments if _is_accepted(moment)]
    yield Proof(
        f"dbt Cloud got 202 for {len(accepted)} deliveries; Pub/Sub took {len(published)} events",
        len(accepted) == len(published) == 6,
    )
    yield Proof(
        f"the forged events were refused with {refused[0]} and {refused[1]}, and not published",
        refused == [401, 401] and len(published) == len(accepted),
    )
    alerts = world.stand_ins.pagerduty.alerts
    yield Proof(
        f"one failure, delivered {published.count(failed.id)} times, opened {len(alerts)} alert",
        len(alerts) == 1 and published.count(failed.id) == 2,
    )
    told = alerts[0].events[0]["payload"]["custom_details"] if alerts else {}
    nodes = [node["unique_id"] for node in told.get("failed", [])]
    yield Proof(
        f"the alert names what failed ({', '.join(nodes)}) and counts the {told.get('skipped')} "
        "nodes skipped because of it",
        nodes == _nodes(run, "error") and told.get("skipped") == len(_nodes(run, "skipped")),
    )
    yield Proof(
        f"the same failure again told nobody: PagerDuty had got {again} event by then", again == 1
    )
    changed = alerts[0].events[1]["payload"]["custom_details"] if again else {}
    new, fixed = (str(changed.get(key, "")) for key in ("new", "fixed"))
    yield Proof(
        f"the next failure updated that alert: {new} is new, {fixed} is fixed",
        (new, fixed) == ("customers", "orders"),
    )
    yield Proof(
        "the next good run of the job closed that alert, the only one there was",
        len(alerts) == 1 and not alerts[0].is_open,
    )
    parents = [message for message in world.stand_ins.slack.messages if not message.thread]
    told = [message for message in parents if "recovered" in message.shown]
    replies = [world.stand_ins.slack.thread(message.ts) for message in told]
    yield Proof(
        f"in Slack, that problem is {len(told)} message, which says that it is over, and its "
        f"thread has {sum(map(len, replies))} replies",
        [len(thread) for thread in replies] == [2] and len(told[0].edits) >= 2,
    )
    regions = [str(report.parameters.get("region")) for report in world.stand_ins.mode.runs]
    yield Proof(
        f"the revenue report was run {len(regions)} time, for region {', '.join(regions)}",
        regions == ["EMEA"],
    )
    failures = [message for message in parents if REASON in message.shown]
    ends = _ends(world)
    yield Proof(
        f"both refreshes were followed: the report's ended well ({ends.get('revenue')}), the "
        f"workbook's did not ({ends.get('sales')}), and {len(failures)} message says why",
        ends == {"revenue": "done", "sales": "failed"} and len(failures) == 1,
    )
    left = world.undelivered("dbt-cloud-events"), world.undelivered("dbt-cloud-events-dead-letters")
    yield Proof(f"nothing is left over: {left[0]} events, {left[1]} dead letters", left == (0, 0))


def _is_accepted(moment: Moment) -> bool:
    return moment.side == "dbt Cloud" and moment.facts.get("status") == "202"


def _nodes(run: Run, status: str) -> list[str]:
    """The nodes that dbt itself gave `status` in the run."""
    found = (run.artifact("run_results.json", step.index) for step in run.steps)
    results = [row for text in found if text for row in json.loads(text)["results"]]
    return [row["unique_id"] for row in results if row["status"] == status]
