"""afterrun work: the subscriber where nothing pushes: it pulls, and ticks by itself."""

import faulthandler
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import apps, output
from cli.options import Config, LedgerAt, Project, environ, unpushed
from cli.work import signals
from cli.work.log_lines import Lines
from shared import log
from shared.settings import emulator_host, subscription_path, text, topic_path
from subscriber.settings import DEFAULT_FILE, Settings

if TYPE_CHECKING:
    from cli.work.pulling import Subscription
    from cli.work.working import Working

HUNG_S = 600.0  # a tick takes up nothing after 45 s; one that has not ended then never will
STDERR = 2  # as a file descriptor: whatever stands there instead

app = apps.made()


@app.command(
    epilog=apps.examples(
        "afterrun work --subscription dbt-cloud-events-pull --ledger sqlite:work.db"
    )
)
def work(
    *,
    subscription: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where events are pulled from; else PUBSUB_SUBSCRIPTION, else named as the topic.",
            show_default=False,
        ),
    ] = None,
    tick: Annotated[
        float,
        typer.Option(
            min=1, max=3600, metavar="SECONDS", help="How often to take up what has become due."
        ),
    ] = 10,
    once: Annotated[
        bool, typer.Option("--once", help="Take what is there now, tick once, and end: for cron.")
    ] = False,
    log_as: Annotated[
        Literal["text", "json"] | None,
        typer.Option(
            "--log", help="How to log; text on a terminal, else JSON.", show_default=False
        ),
    ] = None,
    config: Config = None,
    project: Project = None,
    ledger: LedgerAt = None,
) -> None:
    """Run the subscriber here: it pulls events, acts, and ticks.

    For a VM, fly.io or a laptop; on Cloud Run, Pub/Sub pushes instead. Any number of these may work
    on one subscription and one ledger. SIGTERM or Ctrl-C finishes what has begun and ends with 0;
    whatever is not finished is taken up by the next one. A process that hangs ends itself.
    """
    told = environ(config=config, project=project, ledger=ledger)
    if subscription:
        told = {**told, "PUBSUB_SUBSCRIPTION": subscription}
    chosen = unpushed(told)
    with output.progress("Looking at ledger and subscription ..."):
        working, pulled = _made(chosen, told, tick)
    is_text = log_as == "text" or (log_as is None and sys.stdout.isatty())
    log.start(chosen.log_level, Lines() if is_text else None)
    _say(chosen, pulled, told, tick)
    with signals.stopping(working.stop):
        is_done = working.once() if once else working.run()
    log.info("stopped")
    if not is_done:
        signals.leave(0)


def _made(
    chosen: Settings, told: Mapping[str, str], tick_s: float
) -> "tuple[Working, Subscription]":
    """What works; ledger and subscription have been looked at."""
    from cli.work.pulling import Subscription
    from cli.work.working import Working, clock_until
    from subscriber import wiring

    stopping = threading.Event()
    clock = clock_until(stopping)
    made = wiring.processor(chosen)
    processor = replace(made, monotonic=clock, deliveries=replace(made.deliveries, monotonic=clock))
    processor.ledger.check()
    kept = chosen.places
    pulled = Subscription(
        subscription_path(kept.event_subscription, kept.project),
        topic_path(kept.event_topic, kept.project),
        emulator_host(told, "PUBSUB_EMULATOR_HOST"),
    )
    pulled.check()
    return Working(pulled, processor.take, tick_s, _watched, stopping=stopping), pulled


@contextmanager
def _watched() -> Iterator[None]:
    """If the block takes too long, the process shows where each thread is, and ends with 1."""
    faulthandler.dump_traceback_later(HUNG_S, exit=True, file=STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _say(chosen: Settings, pulled: "Subscription", told: Mapping[str, str], tick_s: float) -> None:
    """What it works with, for whoever reads the log."""
    for warning in chosen.configuration.warnings:
        log.warning("configuration", reason=warning)
    if chosen.places.ledger.kind == "memory":
        log.warning("the ledger is in memory: what is open is forgotten with this process")
    named = text(told, "AFTERRUN_CONFIG")
    file = named or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else "the guides' variables")
    log.info(
        "working",
        subscription=pulled.name,
        ledger=f"{chosen.places.ledger.kind}:{chosen.places.ledger.where}",
        configuration=file,
        rules=len(chosen.configuration.rules),
        destinations=sorted(chosen.configuration.destinations),
        tick_s=tick_s,
    )
