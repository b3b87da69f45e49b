"""A dbt Cloud for each test, behind servers that start once."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.types import Receive, Scope, Send

from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.serve import serve
from tests.lab.dbt_cloud.client import Client


class Behind:
    """Which dbt Cloud is behind the servers: to start those takes longer than a test."""

    def __init__(self) -> None:
        self.cloud = DbtCloud()

    @contextmanager
    def served(self) -> Iterator[Served]:
        async def admin(scope: Scope, receive: Receive, send: Send) -> None:
            await self.cloud.admin_app(scope, receive, send)

        async def discovery(scope: Scope, receive: Receive, send: Send) -> None:
            await self.cloud.discovery_app(scope, receive, send)

        with serve(admin) as base_url, serve(discovery) as metadata_url:
            yield Served(base_url, metadata_url)


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[Behind, Served]]:
    behind = Behind()
    with behind.served() as served:
        yield behind, served


@pytest.fixture
def cloud() -> DbtCloud:
    return DbtCloud()


@pytest.fixture
def client(servers: tuple[Behind, Served], cloud: DbtCloud) -> Client:
    behind, served = servers
    behind.cloud = cloud
    return Client(served, cloud.account_id)
