import time
from collections.abc import Iterator

import pytest

from lab.faults import Fault
from lab.secret_manager import SecretManager
from lab.secrets import Secrets, State
from shared import secret_manager
from shared.errors import PermanentFailure, TemporaryFailure

NAME = "projects/acme/secrets/token/versions/latest"


class Service:
    """A Secret Manager that serves."""

    def __init__(self, manager: SecretManager, host: str) -> None:
        self.secrets = manager.secrets
        self.faults = manager.faults
        self.host = host

    def access(self, name: str = NAME, timeout_s: float = 5.0) -> str:
        return secret_manager.access(name, host=self.host, timeout_s=timeout_s).value


@pytest.fixture
def service() -> Iterator[Service]:
    manager = SecretManager(Secrets(project="acme"))
    manager.secrets.put("token", "value")
    with manager.serve() as host:
        yield Service(manager, host)


def test_a_version_is_read_as_text(service: Service) -> None:
    service.secrets.put("token", "würze")

    assert service.access() == "würze"


def test_a_new_version_is_seen_at_once(service: Service) -> None:
    service.access()
    service.secrets.put("token", "new")

    assert service.access() == "new"


def test_a_secret_that_is_missing_is_a_permanent_failure(service: Service) -> None:
    with pytest.raises(PermanentFailure, match="NotFound: there is no such secret or version"):
        service.access("projects/acme/secrets/other/versions/latest")


def test_a_malformed_name_is_a_permanent_failure(service: Service) -> None:
    with pytest.raises(PermanentFailure, match="InvalidArgument: its name is not valid"):
        service.access("token")


def test_a_missing_permission_names_the_role_that_gives_it(service: Service) -> None:
    service.secrets.deny("token")

    with pytest.raises(PermanentFailure, match=r"roles/secretmanager\.secretAccessor"):
        service.access()


def test_a_disabled_version_is_a_permanent_failure(service: Service) -> None:
    service.secrets.set_state("token", 1, State.DISABLED)

    with pytest.raises(PermanentFailure, match="this version is disabled or destroyed"):
        service.access()


def test_a_payload_that_is_no_text_is_a_permanent_failure_without_the_payload(
    service: Service,
) -> None:
    service.secrets.put("token", b"\xff\xfehunter2")

    with pytest.raises(PermanentFailure, match=r"^it is not UTF-8 text$"):
        service.access()


def test_a_moment_of_unavailability_is_not_noticed(service: Service) -> None:
    service.faults.next(Fault("cut"), times=2)

    assert service.access() == "value"


def test_it_gives_up_in_time_while_the_service_is_unavailable(service: Service) -> None:
    service.faults.always(Fault("cut"))
    began = time.monotonic()

    with pytest.raises(TemporaryFailure, match="Secret Manager: "):
        service.access(timeout_s=0.5)

    assert time.monotonic() - began < 2


def test_it_gives_up_in_time_when_there_is_no_answer(service: Service) -> None:
    service.faults.always(Fault("slow", seconds=30))
    began = time.monotonic()

    with pytest.raises(TemporaryFailure, match="Secret Manager: DeadlineExceeded"):
        service.access(timeout_s=0.3)

    assert time.monotonic() - began < 2


def test_nobody_serving_is_a_temporary_failure() -> None:
    with SecretManager(Secrets()).serve() as host:
        pass

    with pytest.raises(TemporaryFailure, match="Secret Manager: "):
        secret_manager.access(NAME, host=host, timeout_s=0.5)
