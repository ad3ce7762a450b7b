"""The address of a container: account, host and path, on the Blob and the Data Lake Gen2 endpoint.

Source: Azure Storage documentation, "Storage account overview" (endpoints) and "Use Azurite emulator" (path style).
"""

from __future__ import annotations

import re
import urllib.parse
from typing import NamedTuple

from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.transport.request import Origin

# ACCOUNT.blob.core.windows.net, secondary and zonal ones (ACCOUNT.z1.blob.storage.azure.net), and other clouds.
_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24})(?:-secondary)?(?P<zone>\.z\d+)?\.(?P<service>blob|dfs)\.(?P<suffix>"
                   r"core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net|cloudapi\.de)|storage\.azure\.net)")
_BARE = re.compile(r"\d+(?:\.\d+){3}|localhost|.*:.*|[^.]*").fullmatch  # an IP address, or a name without a domain


class Endpoint(NamedTuple):
    """The address of a container.

    Attributes:
        account: the storage account.
        container: its name.
        origin: the origin of the Blob service.
        dfs_origin: the origin of the Data Lake service; the same, except on Azure itself.
        account_base: the part of targets before the container, with a slash at both ends.
        is_azure: whether it is Azure itself, not an emulator or a gateway.
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
        """The name of a blob in a SAS, without encoding."""
        return f"/blob/{self.account}/{self.container}/{key}"


def account_of(url: str | None) -> str | None:
    """The account in the URL of a storage service, or None."""
    if url is None:
        return None
    host = Origin.of(url).host
    azure = _HOST.fullmatch(host)
    if azure is not None:
        return azure["account"]
    path = urllib.parse.urlsplit(url).path.strip("/")
    return path.partition("/")[0] or None if _BARE(host) else None


def find_endpoint(container: str, url: str | None, account: str | None) -> Endpoint:
    """The address of `container`. url: the URL of the service, in path style with the account; None for Azure.

    Raises ConfigurationError if the account is unknown, InvalidPathError if `url` is not an http(s) URL.
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
