"""What `make run` does: plays the story, shows it, and says what it proved."""

import contextlib
import json
import shlex
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from lab import show, story, world
from lab.show import Shown
from lab.stand_ins import WEBHOOK_SECRET
from lab.timeline import Timeline
from lab.world import World

INTERRUPTED = 130  # as a shell reports Ctrl-C


def play(*, stay: bool = False) -> int:
    """Play the story and show it; 0 only if all happened that it is to prove, else 1.

    With `stay` everything keeps running afterwards until Ctrl-C, which ends the process with 130
    at any time. Raises NotStarted if a function does not start.
    """
    # however we are ended, the functions shall not be left behind
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    console = show.console()
    try:
        return _play(console, stay=stay)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return INTERRUPTED


def _play(console: Console, *, stay: bool) -> int:
    shown = Shown(console)
    console.print("Starting the lab, the receiver and the subscriber ...", style="dim")
    with world.running(Timeline(show=shown)) as here:
        proofs = story.play(here, shown.act)
        shown.act("What was proven")
        for proof in proofs:
            shown.proof(proof.what, holds=proof.holds)
        if stay:
            _stay(console, here)
    return 0 if all(proof.holds for proof in proofs) else 1


def _stay(console: Console, here: World) -> None:
    cloud = here.stand_ins.cloud
    # a failure that has not been told yet, to be posted by hand
    event = cloud.webhooks.event(cloud.run(sample="failing_test"), "job.run.completed")
    console.print()
    console.print(
        f"""[bold]All of it stays up until Ctrl-C.[/] To look at it, in another terminal:

source {shlex.quote(str(_environment(here.operator)))}
afterrun events
afterrun doctor
afterrun send failed-model --new --url {here.receiver.url}

By hand, an event is signed with the secret {WEBHOOK_SECRET}:
""",
        soft_wrap=True,
    )
    console.print(
        f"""BODY='{_in_lines(event.body)}'
SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac {WEBHOOK_SECRET} -r)
curl {here.receiver.url} -d "$BODY" -H "Authorization: ${{SIGNATURE%% *}}"
""",
        markup=False,
        soft_wrap=True,
    )
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    console.print("Stopped.")


def _environment(operator: Mapping[str, str]) -> Path:
    """A file for a shell, beside the configuration, that points `afterrun` at this world."""
    path = Path(operator["AFTERRUN_CONFIG"]).with_name("environment")
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in operator.items()]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _in_lines(body: bytes) -> str:
    """The same JSON in short lines, to be read and pasted."""
    told = json.loads(body)
    data = told.pop("data")
    lines = [f'"{key}": {json.dumps(value)},' for key, value in told.items()]
    lines.append('"data": {')
    lines += [f'  "{key}": {json.dumps(value)},' for key, value in data.items()]
    return "{" + "\n  ".join(lines).removesuffix(",") + "}}"
