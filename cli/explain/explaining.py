"""Explaining: which event is meant, what dbt Cloud knows of it, and what would follow, in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cli import meant, output, sample
from cli.explain.explanation import Explanation, explained
from cli.history import Entry
from cli.meant import Meant, Source
from shared.errors import Mistake
from subscriber.configuration import Configuration
from subscriber.decisions import event_key
from subscriber.ledger.contract import Ledger, Work
from subscriber.run import Answer
from subscriber.settings import Places

NOT_ASKED = Answer(notes=("dbt Cloud was not asked",), is_final=True)
TEST_ENDPOINT = "test-endpoint"


@dataclass(frozen=True)
class Explaining:
    """`kept` is the ledger, if there is one; it is read only. With `is_fresh` nothing that it
    remembers counts. `at` is when the event comes, if that was said. `data` changes a sample.
    """

    configuration: Configuration
    places: Places
    kept: Ledger | None
    now: datetime
    at: datetime | None = None
    is_fresh: bool = False
    is_offline: bool = False
    data: Mapping[str, str] = field(default_factory=dict)

    def meant(self, name: str) -> Meant:
        """The event that `name` means, as `meant.source` tells. Raises what keeps us from it."""
        source = meant.source(name)
        if self.data and source is not Source.SAMPLE:
            raise Mistake("--as-job, --as-environment and --as-project are for samples")
        match source:
            case Source.SAMPLE:
                return self._sample(name)
            case Source.RECORD:
                accounts = [str(each) for each in self.configuration.dbt_cloud.accounts]
                return meant.recorded(name, self.kept, accounts)
            case Source.RUN:
                if came := meant.recorded_run(name, self.kept):
                    return came
                from cli.explain.dbt_run import Asker

                if self.is_offline:
                    raise Mistake(f"run {name} is known to dbt Cloud only: leave --offline out")
                return Asker(self.configuration.dbt_cloud, self.places, self._remembered).run(name)
            case _:
                return meant.in_a_file(name)

    def answered(self, found: Meant) -> Meant:
        """`found`, with what dbt Cloud knows of it, if that is not with it already."""
        if not found.is_to_ask:
            return found
        *earlier, entry = found.story
        answer = NOT_ASKED
        if not self.is_offline:
            from cli.explain.dbt_run import Asker

            asker = Asker(self.configuration.dbt_cloud, self.places, self._remembered)
            answer = asker.about(entry)
        return replace(found, story=(*earlier, Entry(entry.body, answer)))

    def explanation(self, found: Meant) -> Explanation:
        return explained(self.configuration, found.story, self._at(found), self._remembered)

    def record(self, found: Meant) -> Work | None:
        """What the ledger has of the event, if it came before."""
        if found.record is not None or self.kept is None:
            return found.record
        return self.kept.work(event_key(found.event))

    def notices(self, found: Meant, explanation: Explanation) -> Iterator[str]:
        """What to know before anything else."""
        if found.notice:
            yield found.notice
        work = self.record(found)
        if work is not None and work.is_settled:
            count = len(work.result.get("actions", ()))
            what = output.count(count, "action") if count else "nothing"
            yield (
                f"It came before, {output.when(work.recorded_at)}, and {what} followed: see "
                f"`afterrun event {explanation.event.run_id}`. The same event again does nothing; "
                "below is what it would do if it were new."
            )
        elif work is not None:
            reason = f": {work.result['reason']}" if work.result.get("reason") else ""
            yield f"It has come, and is to be decided on {output.when(work.due_at)}{reason}."
        if not self._remembered:
            return
        if work is None and explanation.newest_run == int(explanation.event.run_id):
            yield "This run was decided on already; what is remembered includes it (see --fresh)."
        elif work is not None and explanation.newest_run >= int(explanation.event.run_id):
            yield "What is remembered includes this run, or a newer one (see --fresh)."

    def basis(self, found: Meant, explanation: Explanation) -> Iterator[tuple[str, str]]:
        """From what it was explained, for people: what, and how."""
        event = explanation.event
        told_at = found.story[-1].told_at
        age = f", told {output.when(told_at)}" if told_at else ""
        yield "event", f"{found.said}: {event.type.removeprefix('job.run.')} {event.id}{age}"
        if found.source is Source.SAMPLE:
            yield "dbt Cloud", "as it answered when the sample was made"
        elif not found.is_to_ask:
            yield "dbt Cloud", "as the file says that it answered"
        else:
            yield "dbt Cloud", "not asked (--offline)" if self.is_offline else "asked now"
        ledger = self.places.ledger
        if self._remembered:
            yield "remembered", f"what is in {ledger.kind}:{ledger.where} now, which is only read"
        elif self.is_fresh:
            yield "remembered", "nothing (--fresh)"
        else:
            yield "remembered", "nothing: there is no ledger here (see --ledger)"
        if explanation.at != told_at:
            yield "comes at", output.when(explanation.at)

    def _sample(self, name: str) -> Meant:
        """The sample, as if it happened now, in an account of the configuration's."""
        found = meant.of_a_sample(name)
        accounts = self.configuration.dbt_cloud.accounts
        ours = str(accounts[0]) if accounts and name != TEST_ENDPOINT else ""
        by = (self.at or self.now) - sample.time_of(found.story[-1])
        story = (sample.changed(each, by, account=ours, data=self.data) for each in found.story)
        return replace(found, story=tuple(story))

    def _at(self, found: Meant) -> datetime:
        """When it comes: now where something is remembered, else when it was told."""
        if self.at is not None:
            return self.at
        told_at = found.story[-1].told_at
        return self.now if self._remembered or told_at is None else told_at

    @property
    def _remembered(self) -> Ledger | None:
        return None if self.is_fresh else self.kept
