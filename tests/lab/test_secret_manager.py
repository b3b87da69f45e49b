from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    SecretVersion,
)

from lab.crc32c import crc32c
from lab.faults import Fault
from lab.secret_manager import SERVICE, SecretManager
from lab.secrets import ACCESS, ADD, CREATE, Secrets, State

SECRET = "projects/acme/secrets/pd-routing-key"


class Service:
    """A Secret Manager that serves, and Google's own client of it, which does not try again."""

    def __init__(self, manager: SecretManager, client: SecretManagerServiceClient) -> None:
        self.manager = manager
        self.secrets = manager.secrets
        self.client = client

    def access(self, version: str | int, secret: str = SECRET) -> AccessSecretVersionResponse:
        name = f"{secret}/versions/{version}"
        return self.client.access_secret_version(name=name, retry=None, timeout=5)

    def add(self, data: bytes, crc: int | None = None, secret: str = SECRET) -> SecretVersion:
        payload = {"data": data} if crc is None else {"data": data, "data_crc32c": crc}
        request = {"parent": secret, "payload": payload}
        return self.client.add_secret_version(request=request, retry=None, timeout=5)

    def create(self, name: str = "dbt-webhook", parent: str = "projects/acme") -> str:
        return self.ask_to_create(name, parent, {"replication": {"automatic": {}}})

    def ask_to_create(self, name: str, parent: str, secret: dict[str, Any]) -> str:
        request = {"parent": parent, "secret_id": name, "secret": secret}
        return self.client.create_secret(request=request, retry=None, timeout=5).name

    def granted(self, *permissions: str, secret: str = SECRET) -> list[str]:
        request = {"resource": secret, "permissions": list(permissions)}
        answer = self.client.test_iam_permissions(request=request, timeout=5)
        return list(answer.permissions)


@contextmanager
def a_client(host: str) -> Iterator[SecretManagerServiceClient]:
    with grpc.insecure_channel(host) as channel:
        yield SecretManagerServiceClient(
            transport=SecretManagerServiceGrpcTransport(channel=channel)
        )


@pytest.fixture
def service() -> Iterator[Service]:
    manager = SecretManager(Secrets(project="acme", number="42"))
    with manager.serve() as host, a_client(host) as client:
        yield Service(manager, client)


def test_the_latest_version_is_the_newest(service: Service) -> None:
    service.secrets.put("pd-routing-key", "old")
    service.secrets.put("pd-routing-key", "new")

    assert service.access("latest").payload.data == b"new"


def test_a_version_is_named_by_its_number(service: Service) -> None:
    service.secrets.put("pd-routing-key", "old")
    service.secrets.put("pd-routing-key", "new")

    assert service.access(1).payload.data == b"old"


def test_a_version_is_named_by_an_alias(service: Service) -> None:
    service.secrets.put("pd-routing-key", "old")
    service.secrets.put("pd-routing-key", "new")
    service.secrets.alias("pd-routing-key", "former", 1)

    assert service.access("former").payload.data == b"old"


def test_the_answer_names_the_version_that_it_is_of(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")

    assert service.access("latest").name == "projects/42/secrets/pd-routing-key/versions/1"


def test_the_project_is_named_by_its_number_as_well(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")

    answer = service.access("latest", secret="projects/42/secrets/pd-routing-key")

    assert answer.payload.data == b"value"


def test_the_payload_comes_with_its_checksum(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")

    payload = service.access("latest").payload

    assert payload.data_crc32c == crc32c(b"value")


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("version", ["latest", "1", "former"])
def test_a_secret_that_is_not_there_is_not_found(service: Service, version: str) -> None:
    with pytest.raises(exceptions.NotFound):
        service.access(version)


@pytest.mark.parametrize("version", [0, 2, "former"])
def test_a_version_that_is_not_there_is_not_found(service: Service, version: str | int) -> None:
    service.secrets.put("pd-routing-key", "value")

    with pytest.raises(exceptions.NotFound):
        service.access(version)


@pytest.mark.parametrize("state", [State.DISABLED, State.DESTROYED])
@pytest.mark.parametrize("version", ["latest", 2])
def test_no_other_version_takes_the_place_of_one_that_was_disabled(
    service: Service, state: State, version: str | int
) -> None:
    service.secrets.put("pd-routing-key", "old")
    service.secrets.put("pd-routing-key", "new")
    service.secrets.set_state("pd-routing-key", 2, state)

    with pytest.raises(exceptions.FailedPrecondition, match=f"is in {state} state"):
        service.access(version)

    assert service.access(1).payload.data == b"old"


def test_a_disabled_version_can_be_enabled_again(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")
    service.secrets.set_state("pd-routing-key", 1, State.DISABLED)
    service.secrets.set_state("pd-routing-key", 1, State.ENABLED)

    assert service.access("latest").payload.data == b"value"


def test_permission_can_be_taken_and_given(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")
    service.secrets.deny("pd-routing-key")
    with pytest.raises(exceptions.PermissionDenied):
        service.access("latest")

    service.secrets.allow("pd-routing-key")

    assert service.access("latest").payload.data == b"value"


def test_the_secrets_of_another_project_are_not_ours(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")

    with pytest.raises(exceptions.PermissionDenied):
        service.access("latest", secret="projects/other/secrets/pd-routing-key")


@pytest.mark.parametrize("secret", ["pd-routing-key", "projects/acme/secrets/a b"])
def test_a_malformed_name_is_refused(service: Service, secret: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        service.access("latest", secret=secret)


def test_a_version_that_is_added_is_the_latest(service: Service) -> None:
    service.secrets.put("pd-routing-key", "old")

    added = service.add(b"new", crc32c(b"new"))

    assert added.name == "projects/42/secrets/pd-routing-key/versions/2"
    assert added.state == SecretVersion.State.ENABLED
    assert service.access("latest").payload.data == b"new"


def test_a_version_cannot_be_added_to_a_secret_that_is_not_there(service: Service) -> None:
    with pytest.raises(exceptions.NotFound):
        service.add(b"new")


def test_a_payload_that_does_not_agree_with_its_checksum_is_refused(service: Service) -> None:
    service.secrets.put("pd-routing-key", "old")

    with pytest.raises(exceptions.InvalidArgument, match="checksum"):
        service.add(b"new", crc32c(b"old"))


def test_a_payload_may_have_64_kibibytes(service: Service) -> None:
    service.secrets.put("pd-routing-key", "old")
    service.add(b"x" * 65_536)

    with pytest.raises(exceptions.InvalidArgument, match="65536"):
        service.add(b"x" * 65_537)

    assert len(service.access("latest").payload.data) == 65_536


def test_a_new_secret_has_no_version_until_one_is_added(service: Service) -> None:
    name = service.create()

    assert name == "projects/42/secrets/dbt-webhook"
    with pytest.raises(exceptions.NotFound):
        service.access("latest", secret=name)
    service.add(b"value", secret=name)
    assert service.access("latest", secret=name).payload.data == b"value"


def test_a_secret_is_made_once(service: Service) -> None:
    service.secrets.put("dbt-webhook", "value")

    with pytest.raises(exceptions.AlreadyExists):
        service.create("dbt-webhook")


@pytest.mark.parametrize(
    ("name", "parent", "secret"),
    [
        ("dbt-webhook", "projects/acme", {}),
        ("dbt webhook", "projects/acme", {"replication": {"automatic": {}}}),
        ("dbt-webhook", "acme", {"replication": {"automatic": {}}}),
    ],
)
def test_a_secret_that_is_not_described_rightly_is_not_made(
    service: Service, name: str, parent: str, secret: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        service.ask_to_create(name, parent, secret)


def test_a_secret_is_made_in_a_project_of_ours_only(service: Service) -> None:
    with pytest.raises(exceptions.PermissionDenied):
        service.create(parent="projects/other")


def test_each_permission_can_be_withheld(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")
    service.secrets.withheld = {CREATE, ADD, ACCESS}

    assert service.granted(ADD, ACCESS) == []
    for call in (service.create, lambda: service.add(b"x"), lambda: service.access("latest")):
        with pytest.raises(exceptions.PermissionDenied):
            call()


def test_permissions_can_be_asked_for(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")
    service.secrets.withheld = {ACCESS}

    assert service.granted(ADD, ACCESS) == [ADD]


def test_a_permission_that_was_withheld_lately_is_still_said_to_be_there(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")
    service.secrets.withheld = service.secrets.withheld_lately = {ADD}

    assert service.granted(ADD) == [ADD]
    with pytest.raises(exceptions.PermissionDenied):
        service.add(b"x")


def test_on_a_secret_that_is_not_there_nobody_has_a_permission(service: Service) -> None:
    assert service.granted(ADD) == []


@pytest.mark.parametrize(
    "metadata", [(), (("x-goog-request-params", "name=projects/acme/secrets/x/versions/1"),)]
)
def test_a_call_that_cannot_be_routed_is_refused(
    service: Service, metadata: tuple[tuple[str, str], ...]
) -> None:
    service.secrets.put("pd-routing-key", "value")
    with service.manager.serve() as host, grpc.insecure_channel(host) as channel:
        access = channel.unary_unary(
            f"/{SERVICE}/AccessSecretVersion",
            request_serializer=AccessSecretVersionRequest.serialize,
            response_deserializer=AccessSecretVersionResponse.deserialize,
        )

        with pytest.raises(grpc.RpcError) as refusal:
            access(
                AccessSecretVersionRequest(name=f"{SECRET}/versions/1"),
                metadata=metadata,
                timeout=5,
            )

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("kind", ["answer", "cut"])
def test_it_can_be_unavailable(service: Service, kind: Any) -> None:
    service.secrets.put("pd-routing-key", "value")
    service.manager.faults.next(Fault(kind))

    with pytest.raises(exceptions.ServiceUnavailable):
        service.access("latest")

    assert service.access("latest").payload.data == b"value"


def test_an_answer_can_be_lost_after_the_version_was_added(service: Service) -> None:
    service.secrets.put("pd-routing-key", "old")
    service.manager.faults.next(Fault("lost", path="AddSecretVersion"))

    with pytest.raises(exceptions.ServiceUnavailable):
        service.add(b"new")

    assert service.access("latest").payload.data == b"new"


def test_it_can_be_slow(service: Service) -> None:
    service.secrets.put("pd-routing-key", "value")
    service.manager.faults.next(Fault("slow", seconds=30))

    with pytest.raises(exceptions.DeadlineExceeded):
        service.client.access_secret_version(
            name=f"{SECRET}/versions/latest", retry=None, timeout=0.2
        )


def test_two_of_them_do_not_share_a_port(service: Service) -> None:
    with service.manager.serve() as first, service.manager.serve() as second:
        assert first != second
