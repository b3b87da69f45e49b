"""Starting, with mistakes and without; where secrets come from; and stopping."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from lab.secret_manager import SecretManager
from lab.secrets import Secrets
from tests.builders import a_body
from tests.function.scripted import publishing
from tests.function.served import (
    READY_WITHIN_S,
    ROOT,
    WAIT_S,
    Topic,
    a_receiver,
    command,
    free_port,
    settings,
)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"WEBHOOK_SECRETS": "hush-hush"}, "WEBHOOK_SECRETS, entry 1"),
        ({"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}, "GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_a_mistake_in_the_settings_stops_the_start_and_says_what_to_mend(
    environ: dict[str, str], named: str
):
    ended = subprocess.run(
        **command(environ, free_port()), capture_output=True, timeout=READY_WITHIN_S, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr.decode().startswith(f"The receiver cannot start. {named}: ")
    assert ended.stderr.count(b"\n") == 1
    assert b"hush" not in ended.stdout + ended.stderr


def test_the_start_imports_nothing_that_only_others_need():
    ended = subprocess.run(
        [sys.executable, "-c", "import sys, function.main; print(*sys.modules)"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=READY_WITHIN_S,
        check=True,
    )

    imported = set(ended.stdout.decode().split())
    assert "google.pubsub_v1" in imported
    assert not imported & {
        "google.cloud.firestore_v1",
        "google.cloud.pubsub_v1",
        "google.cloud.secretmanager_v1",
        "pydantic",
        "subscriber",
        "yaml",
    }


def test_without_a_secret_it_starts_and_says_that_it_accepts_nothing(topic: Topic, tmp_path: Path):
    environ = settings(topic.server.host, DBT_CLOUD_AUTH_TOKEN="")

    with a_receiver(environ, tmp_path / "output.txt") as receiver:
        answer = receiver.post(a_body())
        health = receiver.ask("GET", "/health")
        log = receiver.next_lines(0, 3)

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert health.status == 503
    assert health.told == {"status": "not ready", "lacking": ["secrets"]}
    assert [line["severity"] for line in log] == ["ERROR", "WARNING", "WARNING"]
    assert "WEBHOOK_SECRETS" in log[0]["reason"]
    assert topic.is_empty


def test_secrets_come_from_secret_manager_and_may_be_rotated(topic: Topic, tmp_path: Path):
    secrets = Secrets(project="lab")
    secrets.put("dbt-webhook", "old")

    with SecretManager(secrets).serve() as host:
        environ = settings(
            topic.server.host,
            DBT_CLOUD_AUTH_TOKEN="",
            WEBHOOK_SECRETS="secret:dbt-webhook,secret:not-there",
            SECRET_MANAGER_EMULATOR_HOST=host,
        )
        with a_receiver(environ, tmp_path / "output.txt") as receiver:
            before = receiver.post(a_body(), secret="old")
            secrets.put("dbt-webhook", "new")
            after = receiver.post(a_body(), secret="new")
            former = receiver.post(a_body(), secret="old")
            log = receiver.next_lines(0, 5)

    assert [before.status, after.status, former.status] == [202, 202, 401]
    assert len(topic.take(2)) == 2
    assert "secret:not-there" in str(log[0]["reasons"])
    assert log[1]["secret"] == "secret:dbt-webhook"


def test_a_stop_lets_the_webhook_under_way_be_published_and_answered(tmp_path: Path):
    arrived, release = threading.Event(), threading.Event()

    def held(request: Any, context: grpc.ServicerContext) -> list[str]:
        arrived.set()
        assert release.wait(WAIT_S)
        return ["1"]

    with (
        publishing(held) as host,
        a_receiver(settings(host), tmp_path / "output.txt") as receiver,
        ThreadPoolExecutor(1) as thread,
    ):
        answer = thread.submit(receiver.post, a_body())
        assert arrived.wait(WAIT_S)
        receiver.process.send_signal(signal.SIGTERM)
        assert receiver.refuses_connections()
        release.set()

        assert answer.result().status == 202
        assert receiver.process.wait(WAIT_S) == 0


def test_without_a_connection_to_pubsub_it_is_not_healthy(tmp_path: Path):
    environ = settings(f"127.0.0.1:{free_port()}")

    with a_receiver(environ, tmp_path / "output.txt") as receiver:
        health = receiver.ask("GET", "/health")

    assert health.status == 503
    assert health.told == {"status": "not ready", "lacking": ["publisher"]}
