"""Secret Manager: the value of one version of one secret.

Source: https://cloud.google.com/secret-manager/docs/reference/rpc
"""

import threading
from dataclasses import dataclass, field
from functools import cache

import grpc
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretGone

_FIXES = {
    exceptions.NotFound: "there is no such secret or version",
    exceptions.PermissionDenied: "this account needs roles/secretmanager.secretAccessor on it",
    exceptions.FailedPrecondition: "this version is disabled or destroyed",
    exceptions.InvalidArgument: "its name is not valid",
}

_GONE = (exceptions.NotFound, exceptions.FailedPrecondition)

_making = threading.Lock()


@cache
def _client(host: str | None) -> SecretManagerServiceClient:
    if host is None:
        return SecretManagerServiceClient()
    # an api_endpoint alone would speak TLS to the stand-in
    channel = grpc.insecure_channel(host)
    return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


def client(host: str | None) -> SecretManagerServiceClient:
    """Google's client, made once; `host` is a stand-in's host:port. Raises GoogleAuthError."""
    with _making:
        return _client(host)


@dataclass(frozen=True)
class Version:
    """One version: its full name, which ends in its number, and its payload as text."""

    name: str
    value: str = field(repr=False)


def access(name: str, *, host: str | None, timeout_s: float) -> Version:
    """The version `name` (projects/P/secrets/S/versions/V; V is a number, `latest` or an alias).

    `host` is a stand-in's host:port. Raises SecretGone when it is missing, disabled or destroyed,
    PermanentFailure when it is not ours to read, TemporaryFailure when there is no answer within
    `timeout_s`. Safe to repeat.
    """
    try:
        answer = client(host).access_secret_version(
            name=name,
            timeout=timeout_s,
            # the library's default waits two seconds before its second try
            retry=Retry(
                predicate=if_exception_type(exceptions.ServiceUnavailable),
                initial=0.1,
                maximum=0.5,
                timeout=timeout_s,
            ),
        )
        return Version(str(answer.name), str(answer.payload.data.decode("utf-8")))
    except tuple(_FIXES) as refusal:
        failure = SecretGone if isinstance(refusal, _GONE) else PermanentFailure
        raise failure(f"{type(refusal).__name__}: {_FIXES[type(refusal)]}") from None
    except GoogleAuthError:
        raise PermanentFailure("there are no Google credentials here") from None
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        raise TemporaryFailure(f"Secret Manager: {type(error).__name__}") from None
    except UnicodeDecodeError:
        raise PermanentFailure("it is not UTF-8 text") from None
