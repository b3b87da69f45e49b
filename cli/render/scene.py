"""A scene: what has to happen for one destination to be told in a certain way, played.

The real decisions make the message; the rule is one that wants it, with the words of the first
rule that names the destination.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from cli import sample
from cli.history import Entry
from cli.rehearsal import Rehearsal
from shared.errors import Mistake
from subscriber.actions import Action, Verb
from subscriber.configuration import Configuration
from subscriber.destination import Destination, Does
from subscriber.rules import Alert, Rule, RuleOutcome, When
from subscriber.run import Outcome, outcome

NIGHT = timedelta(days=1)
REMIND = timedelta(hours=24)
WAIT = timedelta(hours=1)  # more than any event waits to be decided on
DEFAULTS: Mapping[Verb, str] = {
    Verb.OPEN: "failed-model",
    Verb.UPDATE: "changed",
    Verb.REMIND: "failed-model",
    Verb.CLOSE: "recovered",
    Verb.TELL: "succeeded",
    Verb.REFRESH: "succeeded",
}
"""The sample that shows each verb best."""

PROBLEMS: tuple[RuleOutcome, ...] = ("failed", "warned")
ALL: tuple[RuleOutcome, ...] = (*PROBLEMS, "clean", "succeeded", "started", "cancelled")


class NotTold(Mistake):
    """The destination is never told such a thing, or not of this sample."""


@dataclass(frozen=True)
class Scene:
    """`name` is a destination of `configuration`; `sample` what happens; `verb` what it does."""

    configuration: Configuration
    name: str
    sample: str
    verb: Verb

    @classmethod
    def of(
        cls, configuration: Configuration, name: str, sample_name: str | None, verb: Verb | None
    ) -> "Scene":
        """The scene that is asked for; what is not said is what shows most of that destination."""
        if verb is None and configuration.destinations[name].does.starts:
            verb = Verb.REFRESH
        elif verb is None:
            verb = verb_of(sample_name) if sample_name else Verb.OPEN
        return cls(configuration, name, sample_name or DEFAULTS[verb], verb)

    def action(self) -> Action:
        """What the destination is told in the end. Raises NotTold, with the reason."""
        self._check(self.configuration.destinations[self.name])
        self._check_sample()
        story = self._story()
        rehearsal = Rehearsal(self._alone(), sample.time_of(story[0]))
        for entry in story:
            key = rehearsal.hear(entry, sample.time_of(entry))
        rehearsal.until(rehearsal.now + REMIND + WAIT)
        told = [each.action for each in rehearsal.told if each.action.verb is self.verb]
        if not told:
            result = rehearsal.result(key)
            reasons = result.get("reasons") or {"": result.get("reason") or "no rule matches it"}
            raise NotTold(f"nothing of the sample {self.sample}: {'; '.join(reasons.values())}")
        return told[-1]

    def _check(self, destination: Destination) -> None:
        does = destination.does
        if does.starts is not (self.verb is Verb.REFRESH):
            what = "is refreshed" if does is Does.REFRESH else "is started"
            kind = destination.kind()
            raise NotTold(
                f"{kind} {what}, and told nothing else" if does.starts else f"{kind} starts nothing"
            )
        if self.verb is Verb.TELL and does is Does.ALERT and not destination.tells_ends():
            raise NotTold(f"{destination.kind()} hears of problems only")

    def _check_sample(self) -> None:
        entry = sample.load(self.sample)
        ended, name = outcome(entry.event), f"the sample {self.sample}"
        if entry.answer.is_unknown_account:
            raise NotTold(f"nobody is told of {name}: its account does not exist")
        if self.verb in (Verb.OPEN, Verb.UPDATE, Verb.REMIND) and not is_problem(entry):
            raise NotTold(f"{name} is no problem")
        if self.verb is Verb.CLOSE and ended not in (Outcome.FAILED, Outcome.SUCCEEDED):
            raise NotTold(f"{name} ends no problem")
        does = self.configuration.destinations[self.name].does
        if does is Does.REFRESH and ended is not Outcome.SUCCEEDED:
            raise NotTold(f"{name} gives no good data: nothing is refreshed after it")

    def _story(self) -> list[Entry]:
        """The sample, with what has to happen before or after it."""
        *before, entry = sample.story(self.sample)
        match self.verb:
            case Verb.UPDATE:
                return [*(before or [_night_before(entry, _another(self.sample))]), entry]
            case Verb.CLOSE if is_problem(entry):
                return [entry, _night_after(entry, sample.load("succeeded"))]
            case Verb.CLOSE:
                return [*(before or [_night_before(entry, sample.load("failed-model"))]), entry]
            case _:
                return [entry]

    def _alone(self) -> Configuration:
        """The configuration with one rule, that wants this to be told."""
        named = (rule for rule in self.configuration.rules if self.name in rule.then)
        like = next(named, Rule(name="render", when=When(outcome=ALL), then=(self.name,)))
        is_alert = self.verb not in (Verb.TELL, Verb.REFRESH)
        alert = Alert(remind=REMIND) if self.verb is Verb.REMIND else Alert()
        rule = like.model_copy(
            update={
                "when": When(outcome=PROBLEMS if is_alert else ALL),
                "alert": alert if is_alert else None,
                "then": (self.name,),
            }
        )
        # a sample's account is nobody's
        dbt_cloud = self.configuration.dbt_cloud.model_copy(update={"accounts": ()})
        return replace(self.configuration, dbt_cloud=dbt_cloud, rules=(rule,), overrides=())


def verb_of(name: str) -> Verb:
    """What a sample does to an alert, or that it is only told."""
    *before, entry = sample.story(name)
    if is_problem(entry):
        return Verb.UPDATE if before else Verb.OPEN
    return Verb.CLOSE if before else Verb.TELL


def is_problem(entry: Entry) -> bool:
    """Whether the run failed, or ended well with warnings."""
    ended = outcome(entry.event)
    return ended is Outcome.FAILED or (ended is Outcome.SUCCEEDED and bool(entry.answer.warned))


def _another(name: str) -> Entry:
    """A problem other than that of the sample."""
    return sample.load("failed-test" if name != "failed-test" else "failed-model")


def _night_before(entry: Entry, other: Entry) -> Entry:
    return _moved(other, entry, -1)


def _night_after(entry: Entry, other: Entry) -> Entry:
    return _moved(other, entry, 1)


def _moved(other: Entry, entry: Entry, nights: int) -> Entry:
    """`other`, so many nights after `entry`."""
    by = sample.time_of(entry) + nights * NIGHT - sample.time_of(other)
    return sample.changed(other, by, data={"runId": str(int(entry.event.run_id) + nights)})
