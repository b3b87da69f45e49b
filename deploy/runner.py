"""Making and undoing a deployment, step by step; the one place where its commands are run."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deploy import ends, seen
from deploy.gcloud import Answer, Run
from deploy.names import Deployment
from deploy.step import FOUND, Command, Look, Step, learned_by, told, told_all
from shared.errors import Failure, PermanentFailure, TemporaryFailure

LEARNED = {
    "NUMBER": "the project's number",
    "CONFIG_VERSION": "the version of the configuration",
    "CHANNEL": "whom to mail alerts to",
}
PATIENCE = 18  # tries, with WAIT_S between: what is new takes up to some minutes to be known
WAIT_S = 10.0


class Outcome(StrEnum):
    THERE = "already there"
    DONE = "done"
    CHANGED = "changed"
    LATER = "left for later"
    NONE = "not asked for"
    GONE = "already gone"
    REMOVED = "removed"
    KEPT = "kept"


@dataclass
class Runner:
    """`secret` asks for a secret's value, "" to leave it for later, `agrees` whether to do what is
    offered. `wait` lets some seconds pass, `say` tells so, and of what went wrong and can wait.

    Remembers what commands said, for steps that look at the same.
    """

    it: Deployment
    run: Run
    secret: Callable[[str], str]
    agrees: Callable[[str], bool]
    wait: Callable[[float], None]
    say: Callable[[str], None]
    known: dict[str, str] = field(default_factory=dict)
    seen: dict[Command, Any] = field(default_factory=dict)
    later: list[Command] = field(default_factory=list)
    """What is left to do, by hand."""

    def make(self, step: Step) -> Outcome:
        """See to it that the step's thing is there, and as it should be.

        Raises PermanentFailure or TemporaryFailure with what happened and what to do.
        """
        if step.offer:
            return self._offered(step)
        found = self._found(step.what, step.look) if step.look else None
        if found is not None:
            wanted = told_all(step.wanted, self._learned(step.wanted)) if step.change else {}
            if seen.agrees(found, wanted):
                return Outcome.THERE
            self._do(step, step.change, found)
            return Outcome.CHANGED
        if not step.make:
            return Outcome.NONE
        typed = None
        if step.asks:
            typed = self.secret(step.asks)
            if not typed:
                self.later += step.make
                return Outcome.LATER
        return self._do(step, step.make, None, typed)

    def undo(self, step: Step, *, with_data: bool) -> Outcome:
        """Take the step's thing away; raises what `make` raises."""
        if not step.undo:
            return Outcome.NONE
        if step.is_data and not with_data:
            return Outcome.KEPT
        look = step.still or step.look
        try:
            found = self._found(step.what, look) if look else None
        except Failure as failure:
            if not step.offer:
                raise
            self.say(str(failure))
            self.later += step.undo
            return Outcome.LATER
        if found is None:
            return Outcome.GONE
        if not seen.agrees(found, step.made_here):
            return Outcome.KEPT
        self._do(step, step.undo, found)
        return Outcome.REMOVED

    def _offered(self, step: Step) -> Outcome:
        try:
            if not self.later:
                if step.look and self._found(step.what, step.look) is not None:
                    return Outcome.THERE
                if self.agrees(step.offer):
                    return self._do(step, step.make, None)
        except Failure as failure:
            self.say(str(failure))
        self.later += step.make
        return Outcome.LATER

    def learn(self, name: str) -> str:
        """What stands for `name` in commands; raises what `make` raises."""
        if name not in self.known:
            command = self.it.learned()[name]
            answer = self._patiently(LEARNED[name], command)
            if answer.code or not answer.out.strip():
                raise _failure(f"{LEARNED[name]}: Google does not say it.", command, answer)
            self.known[name] = answer.out.split()[0]
        return self.known[name]

    def look(self, look: Look) -> Any:
        """What is found, None if there is no such thing; raises what `make` raises."""
        return self._found("", look)

    def _do(
        self, step: Step, commands: Sequence[Command], found: Any, typed: str | None = None
    ) -> Outcome:
        outcome = Outcome.DONE
        for command in commands:
            name = str(found.get("name", "")) if isinstance(found, dict) else ""
            ready = told(command, self._learned(command) | {FOUND: name})
            # whatever was seen may be otherwise now
            self.seen.clear()
            answer = self._patiently(step.what, ready, typed)
            if answer.code and ends.is_there_already(answer.err):
                outcome = Outcome.THERE
            elif answer.code:
                raise _failure(f"{step.what}: this failed.", ready, answer)
        return outcome

    def _found(self, what: str, look: Look) -> Any:
        command = told(look.command, self._learned(look.command))
        if command not in self.seen:
            answer = self._patiently(what, command)
            if answer.code and not ends.is_not_there(answer.err):
                raise _failure(f"{what}: it cannot be seen whether it is there.", command, answer)
            self.seen[command] = None if answer.code else _read(what, command, answer, look)
        seen = self.seen[command]
        return None if seen is None else look.find(seen)

    def _learned(self, *values: Any) -> dict[str, str]:
        """What is known under the names that stand in the values, asked for where it is not yet."""
        texts = tuple(json.dumps(value, ensure_ascii=False) for value in values)
        return {name: self.learn(name) for name in learned_by(texts) if name != FOUND}

    def _patiently(self, what: str, command: Command, typed: str | None = None) -> Answer:
        for tries_left in reversed(range(PATIENCE)):
            answer = self.run(command, typed)
            if not answer.code or not ends.is_early(answer.err) or not tries_left:
                break
            self.say(f"{what}: not everywhere at Google is known yet what it needs; again in 10 s")
            self.wait(WAIT_S)
        return answer


def _read(what: str, command: Command, answer: Answer, look: Look) -> Any:
    if look.is_text:
        return answer.out
    try:
        return json.loads(answer.out or "null")
    except ValueError:
        raise _failure(f"{what}: what this printed is no JSON.", command, answer) from None


def _failure(what: str, command: Command, answer: Answer) -> PermanentFailure | TemporaryFailure:
    said = answer.err
    parts = [what, f"  {shlex.join(command)}", ends.gist(said), ends.mend(said)]
    kind = TemporaryFailure if ends.is_busy(said) else PermanentFailure
    return kind("\n".join(part for part in parts if part))
