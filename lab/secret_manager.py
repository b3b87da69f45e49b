"""Secret Manager's gRPC service, for the real client library.

Source: https://cloud.google.com/secret-manager/docs/reference/rpc
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import grpc
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    AddSecretVersionRequest,
    CreateSecretRequest,
    Secret,
    SecretPayload,
    SecretVersion,
)
from google.iam.v1 import iam_policy_pb2  # type: ignore[import-untyped]

from lab.crc32c import crc32c
from lab.faults import Faults
from lab.secrets import Refused, Secrets

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


class SecretManager:
    """Serves `secrets`; `faults` happen to its calls.

    `slow` and `lost` are as everywhere, and any other fault is UNAVAILABLE. A fault's `path` is
    compared with `/SERVICE/METHOD`.
    """

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self.faults = Faults()
        self._stopping = threading.Event()

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve on a free loopback port within the block; the value is its host:port."""
        # without this option two servers could share a port in silence
        options = [("grpc.so_reuseport", 0)]
        server = grpc.server(ThreadPoolExecutor(max_workers=8), options=options)
        methods = {
            "AccessSecretVersion": self._method(AccessSecretVersionRequest, self._access),
            "AddSecretVersion": self._method(AddSecretVersionRequest, self._add),
            "CreateSecret": self._method(CreateSecretRequest, self._create),
            "TestIamPermissions": self._method(
                iam_policy_pb2.TestIamPermissionsRequest, self._permissions
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        self._stopping.clear()
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            self._stopping.set()
            server.stop(grace=None).wait(timeout=5)

    def _method(
        self, request_type: Any, carry_out: Callable[[Any], Any]
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        path = f"/{SERVICE}/{request_type.__name__.removesuffix('Request')}"

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return self._suffer(path, lambda: carry_out(_routed(request, context)))
            except Refused as refusal:
                context.abort(refusal.code, refusal.details)

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=(
                request_type.FromString
                if request_type is iam_policy_pb2.TestIamPermissionsRequest
                else request_type.deserialize
            ),
            response_serializer=_serialized,
        )

    def _suffer(self, path: str, carry_out: Callable[[], Any]) -> Any:
        fault = self.faults.take(path)
        if fault is not None and fault.kind == "slow":
            self._stopping.wait(fault.seconds)
        elif fault is not None:
            if fault.kind == "lost":
                carry_out()
            raise Refused(grpc.StatusCode.UNAVAILABLE, "The service is unavailable.")
        return carry_out()

    def _access(self, request: AccessSecretVersionRequest) -> AccessSecretVersionResponse:
        version = self.secrets.access(request.name)
        payload = SecretPayload(data=version.payload, data_crc32c=crc32c(version.payload))
        return AccessSecretVersionResponse(name=version.name, payload=payload)

    def _add(self, request: AddSecretVersionRequest) -> SecretVersion:
        payload = request.payload
        if "data_crc32c" in payload and payload.data_crc32c != crc32c(payload.data):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "The payload's checksum is wrong.")
        version = self.secrets.add(request.parent, payload.data)
        return SecretVersion(name=version.name, state=version.state.value)

    def _create(self, request: CreateSecretRequest) -> Secret:
        replication = request.secret.replication
        if "automatic" not in replication and "user_managed" not in replication:
            details = "Secret.replication must be provided."
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, details)
        name = self.secrets.create(request.parent, request.secret_id)
        return Secret(name=name, replication=replication)

    def _permissions(
        self, request: iam_policy_pb2.TestIamPermissionsRequest
    ) -> iam_policy_pb2.TestIamPermissionsResponse:
        granted = self.secrets.granted(request.resource, request.permissions)
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=granted)


def _serialized(told: Any) -> bytes:
    """An answer on the wire: one of Google's wrappers, or a plain message."""
    is_plain = isinstance(told, iam_policy_pb2.TestIamPermissionsResponse)
    wire: bytes = told.SerializeToString() if is_plain else type(told).serialize(told)
    return wire


def _routed(request: Any, context: grpc.ServicerContext) -> Any:
    """`request`, if the header names its resource too: Google routes by that, not by the message.

    The client library sets it.
    """
    field = _ROUTED_BY[type(request)]
    metadata = dict(context.invocation_metadata())
    params = parse_qs(str(metadata.get("x-goog-request-params", "")))
    if params.get(field) != [getattr(request, field)]:
        details = f"x-goog-request-params does not hold the request's {field}."
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, details)
    return request


_ROUTED_BY = {
    AccessSecretVersionRequest: "name",
    AddSecretVersionRequest: "parent",
    CreateSecretRequest: "parent",
    iam_policy_pb2.TestIamPermissionsRequest: "resource",
}
