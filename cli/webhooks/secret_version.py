"""A secret in Secret Manager: made if it is missing, and a version added.

Source: https://cloud.google.com/secret-manager/docs/add-secret-version
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError

from cli.webhooks.places import Store
from shared import secret_manager
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretReader, SecretRef

ADD = "secretmanager.versions.add"
LIMIT_S = 10.0
CALL_S = 5.0


@dataclass(frozen=True)
class SecretVersion:
    """The newest version of the secret of a reference `secret:NAME`."""

    ref: SecretRef
    reader: SecretReader
    limit_s: float = LIMIT_S

    def holds(self) -> bool:
        name = f"{self._name}/versions/{self.ref.version}"
        try:
            self._ask("access_secret_version", {"name": name})
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return False
        except exceptions.PermissionDenied:
            # not ours to read: there may be one
            return True
        except exceptions.InvalidArgument:
            raise PermanentFailure(self._invalid) from None
        return True

    def value(self) -> str:
        return self.reader.read(self.ref)

    @contextmanager
    def prepared(self) -> Iterator[Store]:
        """The secret is there, if it was not before, and this account may add a version to it."""
        name, project = self._name, self._project
        if not self._may_add(name):
            try:
                self._ask(
                    "create_secret",
                    {
                        "parent": f"projects/{project}",
                        "secret_id": self.ref.name,
                        "secret": {"replication": {"automatic": {}}},
                    },
                )
            except exceptions.AlreadyExists:
                raise PermanentFailure(
                    self._lacks("roles/secretmanager.secretVersionAdder")
                ) from None
            except exceptions.PermissionDenied:
                raise PermanentFailure(
                    f"{self.ref} is not there, or not ours, and this account may not make it: it "
                    "needs roles/secretmanager.admin; or let somebody run gcloud secrets create "
                    f"{self.ref.name} --replication-policy=automatic --project={project}, and give "
                    "this account roles/secretmanager.secretVersionAdder on it"
                ) from None
            except exceptions.InvalidArgument:
                raise PermanentFailure(self._invalid) from None
            if not self._may_add(name):
                raise PermanentFailure(self._lacks("roles/secretmanager.secretVersionAdder"))

        def store(secret: str) -> None:
            # twice the same is no harm: an answer that is lost is asked for again
            try:
                self._ask(
                    "add_secret_version", {"parent": name, "payload": {"data": secret.encode()}}
                )
            except exceptions.PermissionDenied:
                role = "roles/secretmanager.secretVersionAdder"
                raise PermanentFailure(self._lacks(role)) from None
            except exceptions.NotFound:
                raise PermanentFailure(f"{self.ref} was deleted meanwhile") from None

        yield store

    @property
    def _project(self) -> str:
        return self.ref.project or self.reader.project()

    @property
    def _name(self) -> str:
        return f"projects/{self._project}/secrets/{self.ref.name}"

    @property
    def _invalid(self) -> str:
        return f"{self.ref}: Secret Manager takes no such name; is GOOGLE_CLOUD_PROJECT right?"

    def _lacks(self, role: str) -> str:
        return f"this account may not add a version to {self.ref}: it needs {role} on it"

    def _may_add(self, name: str) -> bool:
        request = {"resource": name, "permissions": [ADD]}
        try:
            return ADD in self._ask("test_iam_permissions", request).permissions
        except (exceptions.PermissionDenied, exceptions.NotFound):
            return False
        except exceptions.InvalidArgument:
            raise PermanentFailure(self._invalid) from None

    def _ask(self, method: str, request: dict[str, Any]) -> Any:
        """Call Secret Manager; raises the refusals that a caller may tell apart, else Failure."""
        try:
            client = secret_manager.client(self.reader.manager_host)
            again = Retry(
                predicate=if_exception_type(
                    exceptions.ServiceUnavailable, exceptions.DeadlineExceeded
                ),
                initial=0.2,
                maximum=2.0,
                timeout=self.limit_s,
            )
            return getattr(client, method)(request=request, retry=again, timeout=CALL_S)
        except (
            exceptions.AlreadyExists,
            exceptions.PermissionDenied,
            exceptions.FailedPrecondition,
            exceptions.InvalidArgument,
            exceptions.NotFound,
        ):
            raise
        except GoogleAuthError:
            raise PermanentFailure(
                "there are no Google credentials here: gcloud auth application-default login"
            ) from None
        except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
            raise TemporaryFailure(f"Secret Manager: {type(error).__name__}") from None
