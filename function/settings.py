"""The receiver's settings, read from the environment and checked before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared import secret_refs
from shared.errors import Mistake
from shared.secret_refs import SecretRef
from shared.settings import (
    DEFAULT_TOPIC,
    GoogleProject,
    emulator_host,
    log_level,
    secret_manager_host,
    text,
    topic,
)


@dataclass(frozen=True)
class Settings:
    """What two receivers may differ in. Holds references to secrets only: safe to show.

    `topic` is a short or a full name. `secrets` are those that a webhook may be signed with; with
    none of them the receiver starts and refuses every webhook.
    """

    topic: str
    project: GoogleProject
    secrets: tuple[SecretRef, ...]
    pubsub_host: str | None
    secret_manager_host: str | None
    log_level: str


def read(environ: Mapping[str, str]) -> Settings:
    """The settings that `environ` holds.

    Raises Mistake, which names the variable and the fix and repeats no value.
    """
    settings = Settings(
        topic=topic(environ, "PUBSUB_TOPIC", DEFAULT_TOPIC),
        project=GoogleProject(text(environ, "GOOGLE_CLOUD_PROJECT") or None),
        secrets=secrets(environ),
        pubsub_host=emulator_host(environ, "PUBSUB_EMULATOR_HOST"),
        secret_manager_host=secret_manager_host(environ),
        log_level=log_level(environ),
    )
    if _needs_project(settings) and not settings.project.configured:
        raise Mistake(
            "GOOGLE_CLOUD_PROJECT: with an emulator there are no credentials to take the project "
            "from; set it to the one in which the emulator has the topic and the secrets"
        )
    return settings


def _needs_project(settings: Settings) -> bool:
    has_short_secret = any(ref.scheme == "secret" and not ref.project for ref in settings.secrets)
    return bool(
        (settings.pubsub_host and "/" not in settings.topic)
        or (settings.secret_manager_host and has_short_secret)
    )


def secrets(environ: Mapping[str, str]) -> tuple[SecretRef, ...]:
    """Where the secrets are that a webhook may be signed with; raises Mistake."""
    refs: list[SecretRef] = []
    for position, written in enumerate(environ.get("WEBHOOK_SECRETS", "").split(","), start=1):
        if written.strip():
            refs.append(_reference(f"WEBHOOK_SECRETS, entry {position}", written))
    given = text(environ, "DBT_CLOUD_AUTH_TOKEN")
    if secret_refs.is_reference(given):
        refs.append(_reference("DBT_CLOUD_AUTH_TOKEN", given))
    elif given:
        refs.append(SecretRef("env", "DBT_CLOUD_AUTH_TOKEN"))
    return tuple(dict.fromkeys(refs))


def _reference(where: str, written: str) -> SecretRef:
    try:
        return secret_refs.parse(written)
    except Mistake as mistake:
        raise Mistake(f"{where}: {mistake}") from None
