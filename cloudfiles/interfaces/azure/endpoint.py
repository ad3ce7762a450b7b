"""Where a container is: account, host and path, on the Blob endpoint and on that of Data Lake Gen2.

Source: Azure Storage documentation, "Storage account overview" (endpoints) and "Use Azurite emulator" (path style).
"""

from __future__ import annotations

import re
import urllib.parse
from typing import NamedTuple

from cloudfiles.credentials.signing.sigv4 import quote_key
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.transport.request import Origin

# ACCOUNT.blob.core.windows.net, its secondary and its zone's (ACCOUNT.z1.blob.storage.azure.net), and other clouds'.
_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24})(?:-secondary)?(?P<zone>\.z\d+)?\.(?P<service>blob|dfs)\.(?P<suffix>"
                   r"core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net|cloudapi\.de)|storage\.azure\.net)")
_BARE = re.compile(r"\d+(?:\.\d+){3}|localhost|.*:.*|[^.]*").fullmatch  # an address, or a name without a domain


class Endpoint(NamedTuple):
    """A container's place.

    Attributes:
        account: the storage account.
        container: its name.
        origin: where requests to the Blob service go.
        dfs_origin: where those to the Data Lake service go; elsewhere than at Azure, the same.
        account_base: what a target has before the container; it begins and ends with a slash.
        is_azure: Azure itself and not an emulator or a gateway.
    """

    account: str
    container: str
    origin: Origin
    dfs_origin: Origin
    account_base: str
    is_azure: bool

    @property
    def container_target(self) -> str:
        return self.account_base + quote_key(self.container)

    def sas_resource(self, key: str) -> str:
        """A blob as a SAS names it, nothing encoded."""
        return f"/blob/{self.account}/{self.container}/{key}"


def account_of(url: str | None) -> str | None:
    """The account that a URL of a storage service names, None where it does not."""
    if url is None:
        return None
    host = Origin.of(url).host
    azure = _HOST.fullmatch(host)
    if azure is not None:
        return azure["account"]
    path = urllib.parse.urlsplit(url).path.strip("/")
    return path.partition("/")[0] or None if _BARE(host) else None


def find_endpoint(container: str, url: str | None, account: str | None) -> Endpoint:
    """Where `container` is. url: the service's address, with the account in its path in path style; None for Azure's.

    Raises ConfigurationError where nothing names the account, InvalidPathError where `url` is no http(s) URL.
    """
    account = account_of(url) or account
    if account is None:
        raise ConfigurationError(
            f"the storage account of the container {container!r} is not known: set it in AZURE_STORAGE_ACCOUNT, "
            f"secrets=, azure-secret.json or a cloudpath abfss://{container}@ACCOUNT.dfs.core.windows.net/")
    origin = Origin.of(url or f"https://{account}.blob.core.windows.net")
    azure = _HOST.fullmatch(origin.host)
    path = urllib.parse.urlsplit(url or "").path.strip("/")
    base = f"/{path}/" if path else "/"
    if azure is None:
        return Endpoint(account, container, origin, origin, base, False)
    name = origin.host[:azure.start('service')]
    blob, dfs = (origin._replace(host=f"{name}{service}.{azure['suffix']}")
                 for service in ("blob", "dfs"))
    return Endpoint(account, container, blob, dfs, base, True)
