"""A worker: `afterrun work` as a real process on a stage."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.functions import ROOT
from tests.end_to_end.stage import NOTHING_ELSE, PATIENCE_S, Stage

SUBSCRIPTION = "dbt-cloud-events"


@dataclass
class Worker:
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def told(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(PATIENCE_S)


def subscribe(stage: Stage, name: str = SUBSCRIPTION) -> None:
    """A subscription of events to be pulled from, as `docs/hosts` has it made."""
    queue = stage.queue
    queue.subscriber.create_subscription(
        request={
            "name": queue.subscription(name),
            "topic": queue.events,
            "ack_deadline_seconds": 60,
        }
    )


@contextmanager
def working(
    stage: Stage, *arguments: str, environ: Mapping[str, str] = NOTHING_ELSE
) -> Iterator[Worker]:
    """`afterrun work ARGUMENTS` while the block lasts; what it logs is on the timeline."""
    folder = stage.folder / "worker"
    folder.mkdir(exist_ok=True)
    text = (Path(__file__).parent / "afterrun.yaml").read_text(encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "work", "--tick", "1", *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "GOOGLE_CLOUD_PROJECT": stage.stands.project,
            "PUBSUB_EMULATOR_HOST": stage.pubsub_host,
            "SECRET_MANAGER_EMULATOR_HOST": stage.stands.secret_manager,
            "AFTERRUN_CONFIG": str(stage.stands.configuration(folder, text)),
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    worker = Worker(process)
    reading = threading.Thread(target=_read, args=(worker, stage), daemon=True)
    reading.start()
    try:
        yield worker
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)
        reading.join(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


def _read(worker: Worker, stage: Stage) -> None:
    for line in worker.process.stdout or ():
        worker.lines.append(line.rstrip("\n"))
        said: dict[str, Any] = json.loads(line) if line.startswith("{") else {"message": line}
        facts = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in said.items()
            if key not in ("time", "severity")
        }
        stage.stands.timeline.saw("subscriber", str(said["message"]), **facts)
