"""One gcloud and one stand-in for Google for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.names import Deployment
from tests.deploy import google, real_gcloud
from tests.deploy.cloud import Cloud, a_deployment


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with (
        google.running() as standing_in,
        real_gcloud.running(tmp_path_factory.mktemp("gcloud"), standing_in.environ()) as gcloud,
    ):
        yield Cloud(gcloud, standing_in)


@pytest.fixture
def cloud(started: Cloud) -> Cloud:
    """An empty project."""
    started.google.forget()
    return Cloud(started.gcloud, started.google, made=started.made)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return a_deployment(tmp_path)
