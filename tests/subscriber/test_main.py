"""The subscriber's entry point, as a process under the real Functions Framework."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lab import functions
from lab.functions import Function, NotStarted
from tests.builders import a_body, a_push

GUIDES = {
    "DBT_CLOUD_SERVICE_TOKEN": "dbtc-a-service-token",
    "DBT_CLOUD_BASE_URL": "http://127.0.0.1:9",
    "DBT_CLOUD_METADATA_URL": "http://127.0.0.1:9",
    "PD_ROUTING_KEY": "a-routing-key-that-nobody-may-see",
    "PD_BASE_URL": "http://127.0.0.1:9",
    "GOOGLE_CLOUD_PROJECT": "p",
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
}


def start(folder: Path, **environ: str):
    return functions.running(
        "subscriber", "subscriber/main.py", "handle_event", GUIDES | environ, cwd=folder
    )


@pytest.fixture(scope="module")
def subscriber(tmp_path_factory) -> Iterator[Function]:
    with start(tmp_path_factory.mktemp("subscriber"), LEDGER="memory:") as function:
        yield function


def post(function: Function, body: bytes, **headers: str) -> requests.Response:
    headers = {"Content-Type": "application/json", **headers}
    return requests.post(function.url, data=body, headers=headers, timeout=60)


def a_push_body(body: bytes, **told: str) -> bytes:
    return json.dumps(a_push(body, **told)).encode()


def test_a_raw_push_is_recorded(subscriber):
    answer = post(subscriber, a_push_body(b"tick", content="tick"))

    assert answer.status_code == 200


def test_a_binary_cloud_event_from_eventarc_is_recorded(subscriber):
    answer = post(
        subscriber,
        a_push_body(b"tick", content="tick"),
        **{
            "ce-id": "1",
            "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
            "ce-specversion": "1.0",
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        },
    )

    assert answer.status_code == 200


def test_a_structured_cloud_event_is_recorded(subscriber):
    event = {
        "id": "1",
        "source": "//pubsub.googleapis.com/projects/p/topics/t",
        "specversion": "1.0",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "data": a_push(b"tick", content="tick"),
    }

    answer = post(
        subscriber,
        json.dumps(event).encode(),
        **{"Content-Type": "application/cloudevents+json; charset=utf-8"},
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"message": {"data": "%%"}}'])
def test_what_is_no_push_is_refused_without_repeating_it(subscriber, body):
    answer = post(subscriber, body + b" " * 10)

    assert answer.status_code == 400
    assert body.decode() not in answer.text or not body


def test_health_is_answered_for_probes(subscriber):
    assert requests.get(f"{subscriber.url}/health", timeout=10).status_code == 200
    assert requests.head(f"{subscriber.url}/health", timeout=10).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_answered_with_what_is_allowed(subscriber, method):
    answer = requests.request(method, f"{subscriber.url}/", timeout=10)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_an_event_is_recorded_though_everything_behind_it_is_down(subscriber):
    answer = post(subscriber, a_push_body(a_body()))

    assert answer.status_code == 200


def test_nothing_that_is_logged_holds_a_secret_or_what_was_pushed(tmp_path):
    with start(tmp_path, LEDGER="memory:") as function:
        post(function, a_push_body(a_body(runReason="by somebody@example.com")))
        post(function, a_push_body(b"hello, this is not ours"))
        post(function, b"nor is this", Authorization="Bearer what.a.token")

    printed = "\n".join(function.lines)
    for kept in ("a-routing-key", "dbtc-a-service", "somebody@", "not ours", "nor is", "what.a"):
        assert kept not in printed
    assert "Traceback" not in printed
    assert "refused" in printed


def test_without_a_token_a_push_is_refused_where_tokens_are_verified(tmp_path):
    push_auth = {
        "PUSH_AUDIENCE": "https://afterrun.example",
        "PUSH_SERVICE_ACCOUNT": "push@p.iam.gserviceaccount.com",
        "PUSH_CERTS_URL": "http://127.0.0.1:9/certs",
    }
    forged = base64.urlsafe_b64encode(b'{"alg": "none"}').decode()
    with start(tmp_path, LEDGER="memory:", **push_auth) as function:
        bare = post(function, a_push_body(b"tick", content="tick"))
        odd = post(
            function, b"{}", Authorization=f"Bearer {forged}.e30.SIGNATURE_REMOVED_BY_GOOGLE"
        )

    assert (bare.status_code, odd.status_code) == (401, 401)


def test_a_ledger_that_cannot_be_used_has_pubsub_send_again_and_says_why(tmp_path):
    (tmp_path / "foreign.db").write_bytes(b"this is no database at all" * 100)

    with pytest.raises(NotStarted) as failure, start(tmp_path, LEDGER="sqlite:foreign.db"):
        pass

    assert "foreign.db" in str(failure.value)
    assert "Traceback" not in str(failure.value)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"LEDGER": "redis:here"}, "LEDGER: write sqlite:PATH"),
        ({"PD_ROUTING_KEY": "", "PD_BASE_URL": ""}, "nothing to do"),
        ({"K_SERVICE": "afterrun", "LEDGER": "firestore:p/a"}, "PUSH_AUTH: missing"),
    ],
)
def test_a_mistake_in_the_settings_stops_the_start_and_names_it(tmp_path, environ, said):
    with pytest.raises(NotStarted) as failure, start(tmp_path, **environ):
        pass

    assert "The subscriber cannot start." in str(failure.value)
    assert said in str(failure.value)
    assert "Traceback" not in str(failure.value)


def test_a_mistake_in_the_file_stops_the_start_with_file_line_and_key(tmp_path):
    (tmp_path / "afterrun.yaml").write_text("version: 1\nrulez: []\n", encoding="utf-8")

    with pytest.raises(NotStarted) as failure, start(tmp_path):
        pass

    assert "afterrun.yaml:2:1: rulez: unknown key; did you mean `rules`?" in str(failure.value)


def test_the_process_ends_with_1_on_a_mistake(tmp_path):
    ended = subprocess.run(
        ["functions-framework"],
        executable=functions.COMMAND,
        env={
            "PYTHONPATH": str(functions.ROOT),
            "FUNCTION_SOURCE": str(functions.ROOT / "subscriber/main.py"),
            "FUNCTION_TARGET": "handle_event",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("The subscriber cannot start. nothing to do")
