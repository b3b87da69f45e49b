"""The clouds that Power BI is in: what a token is for, and where people look, by the API's host.

Source: https://learn.microsoft.com/power-bi/developer/embedded/embed-sample-for-customers-national-clouds
"""

from urllib.parse import urlsplit

PUBLIC = "api.powerbi.com"

_RESOURCES = {
    PUBLIC: "https://analysis.windows.net/powerbi/api",
    "api.powerbigov.us": "https://analysis.usgovcloudapi.net/powerbi/api",
    "api.high.powerbigov.us": "https://high.analysis.usgovcloudapi.net/powerbi/api",
    "api.mil.powerbigov.us": "https://mil.analysis.usgovcloudapi.net/powerbi/api",
    "api.powerbi.cn": "https://analysis.chinacloudapi.cn/powerbi/api",
}


def scope(base_url: str) -> str:
    """What a token for the API at `base_url` is asked for."""
    return f"{_RESOURCES[_host(base_url)]}/.default"


def page(base_url: str, workspace: str, dataset: str) -> str:
    """The dataset in the browser: each cloud has its app beside its API."""
    app = f"app.{_host(base_url).removeprefix('api.')}"
    return f"https://{app}/groups/{workspace}/datasets/{dataset}"


def _host(base_url: str) -> str:
    """A host that is not known, such as a stand-in's, is taken for the public cloud's."""
    host = urlsplit(base_url).hostname or ""
    return host if host in _RESOURCES else PUBLIC
