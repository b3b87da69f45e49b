"""Where the secret of a new webhook is put: Secret Manager, or a file.

dbt Cloud says it once. So a place shows that it can be written to before there is a secret.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from shared import secret_refs
from shared.errors import Mistake
from shared.secret_refs import SecretRef

Store = Callable[[str], None]


class Place(Protocol):
    """A place for one secret."""

    @property
    def ref(self) -> SecretRef:
        """How the receiver refers to it."""

    def holds(self) -> bool:
        """Whether there is a secret already; where that cannot be seen, whether there may be."""

    def value(self) -> str:
        """What it holds; raises Failure where that cannot be read."""

    def prepared(self) -> AbstractContextManager[Store]:
        """Prove that it can be written to; what is given stores a secret there.

        Raises Mistake or Failure before the block if it cannot.
        """


def place(written: str, environ: Mapping[str, str]) -> Place:
    """The place that `--secret` names; raises Mistake."""
    from cli.webhooks.connecting import reader
    from cli.webhooks.secret_file import SecretFile

    try:
        ref = secret_refs.parse(written)
    except Mistake as mistake:
        raise Mistake(f"--secret: {mistake}") from None
    if ref.scheme == "env":
        raise Mistake(
            "--secret: a secret cannot be put into a variable; write secret:NAME or file:/path"
        )
    if ref.scheme == "file":
        return SecretFile(ref)
    if ref.version != "latest":
        raise Mistake("--secret: a new version is added; write secret:NAME, without a version")
    from cli.webhooks.secret_version import SecretVersion

    return SecretVersion(ref, reader(environ))
