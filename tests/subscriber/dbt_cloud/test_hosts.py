"""Where the APIs of an account are."""

import pytest

from subscriber.dbt_cloud.hosts import admin_url, discovery_endpoint, metadata_url


@pytest.mark.parametrize(
    ("host", "metadata"),
    [
        ("cloud.getdbt.com", "https://metadata.cloud.getdbt.com/graphql"),
        ("emea.dbt.com", "https://metadata.emea.dbt.com/graphql"),
        ("au.dbt.com", "https://metadata.au.dbt.com/graphql"),
        ("ab123.us1.dbt.com", "https://ab123.metadata.us1.dbt.com/graphql"),
        ("ab123.eu3.dbt.com", "https://ab123.metadata.eu3.dbt.com/graphql"),
        ("dbt.example.com", "https://metadata.dbt.example.com/graphql"),
        ("https://AB123.us1.dbt.com/", "https://ab123.metadata.us1.dbt.com/graphql"),
    ],
)
def test_the_metadata_host_follows_from_the_access_host(host, metadata):
    assert metadata_url(host) == metadata


def test_the_admin_api_is_at_the_access_host():
    assert admin_url("https://ab123.us1.dbt.com/") == "https://ab123.us1.dbt.com"


@pytest.mark.parametrize(
    ("configured", "endpoint"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/graphql"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/graphql"),
        ("https://dbt.example.com/metadata/graphql", "https://dbt.example.com/metadata/graphql"),
    ],
)
def test_an_endpoint_may_be_configured_with_or_without_its_path(configured, endpoint):
    assert discovery_endpoint(configured) == endpoint
