"""What shall be deployed: read from the command line, the configuration and the sources."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from deploy.names import CONFIG_SECRET, WEBHOOK_SECRET, Deployment
from deploy.services import receiver, subscriber
from shared import secret_refs
from shared.errors import Mistake
from subscriber import settings
from subscriber.configuration import Configuration

ROOT = Path(__file__).parent.parent
SOURCES = ("Dockerfile", "requirements.txt", "cloudbuild.yaml", "function", "subscriber", "shared")
SECRET_LIMIT_BYTES = 65_536  # of Secret Manager

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+\d+")
_IMAGE = re.compile(r"[a-z0-9./:@_-]+")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")


def read(
    project: str,
    region: str,
    config: Path,
    image: str = "",
    notify: str = "",
    dbt_token: str = "",
) -> Deployment:
    """The deployment that is asked for; raises Mistake, which says what to do."""
    if not _PROJECT.fullmatch(project):
        raise Mistake(f"--project: {_what(project)} project id; write one such as my-data-123")
    if not _REGION.fullmatch(region):
        raise Mistake(f"--region: {_what(region)} region; write one such as europe-west1")
    if image and not _IMAGE.fullmatch(image):
        raise Mistake("--image: write REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME:TAG")
    if notify and not _ADDRESS.fullmatch(notify):
        raise Mistake("--notify: this is no mail address")
    if dbt_token:
        try:
            secret_refs.parse(dbt_token)
        except Mistake as mistake:
            raise Mistake(f"--dbt-token: {mistake}") from None
    if not str(config.resolve()).isprintable():
        # in a script that is pasted, its second line would be a command
        raise Mistake("--config: its path holds a line break, or what is no character; rename it")
    if not config.is_file():
        raise Mistake(
            f"{config}: there is no such file; `afterrun init` writes one, --config names another"
        )
    secrets = named(settings.configured({"AFTERRUN_CONFIG": str(config)}), project)
    text = config.read_text(encoding="utf-8")
    if len(text.encode()) > SECRET_LIMIT_BYTES:
        raise Mistake(f"{config}: a secret holds {SECRET_LIMIT_BYTES:,} bytes; this is longer")
    it = Deployment(
        project=project,
        region=region,
        config_file=_shown(config),
        config_text=text,
        secrets=secrets,
        version="",
        image=image,
        notify=notify,
        dbt_token=dbt_token,
    )
    return replace(it, version=version(it, sources() if not image else {}))


def _what(written: str) -> str:
    return "this is no" if written else "missing: a"


def named(found: Configuration, project: str) -> tuple[str, ...]:
    """The secrets of this project that a configuration refers to.

    Raises Mistake for those that a service on Cloud Run could not read.
    """
    names = []
    for ref in settings.references(found):
        if ref.scheme != "secret":
            raise Mistake(
                f"{ref}: Cloud Run has no such {'variable' if ref.scheme == 'env' else 'file'}; "
                "keep it in Secret Manager, and write `secret:` and its name there"
            )
        if ref.name == CONFIG_SECRET:
            raise Mistake(f"{ref}: there the configuration itself is kept; choose another name")
        if ref.name == WEBHOOK_SECRET and ref.project in (None, project):
            raise Mistake(f"{ref}: there dbt Cloud's webhook secret is kept; choose another name")
        if ref.project in (None, project):
            names.append(ref.name)
    return tuple(dict.fromkeys(names))


def elsewhere(found: Configuration, project: str) -> list[tuple[str, str]]:
    """Secrets of other projects that it refers to, each as project and name: not ours to make."""
    refs = settings.references(found)
    return sorted(
        {(ref.project, ref.name) for ref in refs if ref.project and ref.project != project}
    )


def version(it: Deployment, files: Mapping[str, bytes]) -> str:
    """Names all that the services are made of and told; fit for a label and a tag."""
    told = (*receiver(it, it.image), *subscriber(it, it.image), it.config_text)
    digest = hashlib.sha256("\0".join(told).encode())
    for name, content in sorted(files.items()):
        digest.update(f"\0{name}\0".encode() + hashlib.sha256(content).digest())
    return f"v{digest.hexdigest()[:12]}"


def sources() -> dict[str, bytes]:
    """The files that the image is built from, and how."""
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in _files()}


def _files() -> Iterator[Path]:
    for name in SOURCES:
        path = ROOT / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (each for each in found if each.is_file() and "__pycache__" not in each.parts)


def _shown(config: Path) -> str:
    """Its path as commands have it, which run in the repository's folder."""
    path = config.resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
