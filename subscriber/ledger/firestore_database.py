"""A Firestore database: documents read, and written only if they are still as they were read.

Source: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from google.api_core import exceptions
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.cloud.firestore import DELETE_FIELD, Client, FieldFilter, LastUpdateOption

from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from shared.settings import NO_CREDENTIALS
from subscriber.ledger.firestore_queries import Query

AT_ONCE = if_exception_type(
    exceptions.ServiceUnavailable,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.Aborted,  # contended; the library's own retry leaves it out
)


@dataclass(frozen=True)
class Document:
    """A document as it was read; `version` is "" and `values` are empty if there is none."""

    collection: str
    key: str
    values: dict[str, Any]
    version: str = ""


class Database:
    """Connects on first use. `emulator_host` is a stand-in's host:port, None for Google's.

    With None the library itself obeys FIRESTORE_EMULATOR_HOST. A call takes `timeout_s` at most,
    repetitions included; the last of them may overdraw it once.
    """

    def __init__(
        self, project: str, database: str, emulator_host: str | None, timeout_s: float
    ) -> None:
        self._project = project
        self._database = database
        self._emulator_host = emulator_host
        self._lock = threading.Lock()
        self._connected: Client | None = None
        self._timeout_s = timeout_s
        self._retry = Retry(
            predicate=AT_ONCE, initial=0.1, multiplier=2.0, maximum=1.0, timeout=timeout_s
        )

    def read(
        self, collection: str, keys: Sequence[str], fields: Sequence[str] | None = None
    ) -> list[Document]:
        """The documents of these keys, in their order, all as of one moment.

        One call, whose documents Google guarantees not to have changed meanwhile. The emulator does
        not keep to it under constant writing: there, part of a commit may be seen.

        With `fields` only those come: enough to see that a document is there, and cheap.
        """
        if not keys:
            return []
        with self._translating():
            documents = self._client().collection(collection)
            references = [documents.document(_id(key)) for key in dict.fromkeys(keys)]
            found = {
                snapshot.id: snapshot
                for snapshot in self._client().get_all(
                    references, fields, retry=self._retry, timeout=self._timeout_s
                )
            }
        return [_document(collection, key, found[_id(key)]) for key in keys]

    def find(self, query: Query, page: int) -> Iterator[Document]:
        """The documents that `query` asks for, `page` of them at a time and as they are taken."""
        asked = None
        while True:
            with self._translating():
                if asked is None:
                    asked = self._client().collection(query.collection).limit(page)
                    for each in query.filters:
                        asked = asked.where(filter=FieldFilter(each.field, each.op, each.value))
                    for order in query.order:
                        asked = asked.order_by(order.field, direction=order.direction)
                found = asked.get(retry=self._retry, timeout=self._timeout_s)
            for snapshot in found:
                yield _document(query.collection, snapshot.get("key"), snapshot)
            if len(found) < page:
                return
            asked = asked.start_after(found[-1])

    def write(self, documents: Sequence[Document]) -> bool:
        """Write all of them, each over its `version`; a value of None removes that field.

        False, and nothing has happened, if one is not as it was read. Also False if this very
        call has written them already, and its answer was lost: only a reader can tell.
        """
        with self._translating():
            client = self._client()
            batch = client.batch()
            for document in documents:
                reference = client.collection(document.collection).document(_id(document.key))
                values = document.values | {"key": document.key}
                if document.version:
                    batch.update(
                        reference,
                        {k: DELETE_FIELD if v is None else v for k, v in values.items()},
                        option=LastUpdateOption(
                            DatetimeWithNanoseconds.from_rfc3339(document.version)  # type: ignore[no-untyped-call]
                        ),
                    )
                else:
                    batch.create(reference, {k: v for k, v in values.items() if v is not None})
            try:
                batch.commit(retry=self._retry, timeout=self._timeout_s)
            except (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound):
                return False
            return True

    def _client(self) -> Client:
        with self._lock:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def _connect(self) -> Client:
        credentials = AnonymousCredentials() if self._emulator_host else None  # type: ignore[no-untyped-call]
        client = Client(project=self._project, credentials=credentials, database=self._database)
        if self._emulator_host:
            # the library takes it from the environment only
            client._emulator_host = self._emulator_host
        # made on first use and without a lock, so now, under ours
        _ = client._firestore_api
        return client

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Raise what the library raises within as a failure of ours."""
        name = f"LEDGER: firestore:{self._project}/{self._database}"
        try:
            yield
        except (exceptions.PermissionDenied, exceptions.Unauthenticated):
            raise Mistake(
                f"{name}: refused; this account needs roles/datastore.user on the project, and "
                "the project needs the API firestore.googleapis.com"
            ) from None
        except exceptions.NotFound:
            raise Mistake(
                f"{name}: there is no such database; create it with `gcloud firestore databases "
                f"create --database={self._database}`, or name another"
            ) from None
        except exceptions.FailedPrecondition:
            raise Mistake(
                f"{name}: the database must be in Native mode, and have the ledger's indexes: "
                "`python3 -m deploy.firestore_indexes` applies them"
            ) from None
        except RefreshError:
            raise TemporaryFailure(
                "Firestore: the Google credentials here could not be renewed; if it stays so, run "
                "`gcloud auth application-default login`"
            ) from None
        except TransportError:
            raise TemporaryFailure("Firestore: TransportError") from None
        except GoogleAuthError:
            raise Mistake(
                f"{name}: {NO_CREDENTIALS}; or set FIRESTORE_EMULATOR_HOST to an emulator's "
                "host:port"
            ) from None
        except exceptions.InvalidArgument:
            raise PermanentFailure("Firestore: InvalidArgument") from None
        except exceptions.RetryError as error:
            raise TemporaryFailure(f"Firestore: {type(error.cause).__name__}") from None
        except exceptions.GoogleAPICallError as error:
            raise TemporaryFailure(f"Firestore: {type(error).__name__}") from None


def _id(key: str) -> str:
    """Any text becomes a document's id, which may hold neither slashes nor 1,500 bytes."""
    return sha256(key.encode()).hexdigest()


def _document(collection: str, key: str, snapshot: Any) -> Document:
    if not snapshot.exists:
        return Document(collection, key, {})
    return Document(collection, key, snapshot.to_dict(), snapshot.update_time.rfc3339())
