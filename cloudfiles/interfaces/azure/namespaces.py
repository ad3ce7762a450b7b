"""Whether an account has a hierarchical namespace: asked of the account, and remembered for the process.

Source: Azure Storage REST reference, "Get Account Information" (which takes Shared Key and SAS), and "Filesystem - Get
Properties" of Data Lake Storage Gen2.
"""

from __future__ import annotations

from cloudfiles.exceptions import AuthorizationError
from cloudfiles.interfaces.azure.container import AzureContainer
from cloudfiles.transport.request import Origin, Request, Response

_known: dict[tuple[Origin, str], bool] = {}  # (origin, account) -> what it said


def is_hierarchical(container: AzureContainer) -> bool:
    """Ask the account, at the first time. Raises AuthorizationError where nothing tells."""
    account = container.origin, container.endpoint.account
    if account not in _known:
        _known[account] = _ask(container)
    return _known[account]


def forget() -> None:
    """Ask again; for tests, whose servers change what they are."""
    _known.clear()


def _ask(container: AzureContainer) -> bool:
    credentials = container.protocol.credentials()
    if credentials is not None and credentials.token is None:
        try:
            return _tells(container, container.origin, {"restype": "account", "comp": "properties"},
                          "x-ms-is-hns-enabled")
        except AuthorizationError:
            pass  # a SAS that is good for nothing but blobs
    return _tells(container, container.endpoint.dfs_origin, {"resource": "filesystem"}, "x-ms-namespace-enabled")


def _tells(container: AzureContainer, origin: Origin, query: dict[str, str], name: str) -> bool:
    """Whether the answer's header says so; an emulator, which has no hierarchical namespace, does not send it."""
    headers: dict[str, str] = container.client.send(
        _Properties(origin, "HEAD", container.container_target(query), {}, protocol=container.protocol))
    return headers.get(name, "").lower() == "true"


class _Properties(Request):
    """Gives the answer's headers."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str]:
        if response.status == 200:
            return response.headers
        raise self.protocol.to_error(self, response)

