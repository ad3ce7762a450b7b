"""`adl://store/path`: Azure Data Lake Storage Gen1, which speaks a dialect of WebHDFS.

Microsoft shut the service down on 29 February 2024; its successor is `abfss://`. This protocol is for servers that
still speak it.

- Everything is sent to the store itself, without redirects: the parameters `read=true`, `write=true` and `append=true`
  ask for that.
- Requests carry an OAuth bearer token.
- ETags are weak: they consist of modification time and size, as the service reports no number of the inode.

Source: Data Lake Storage Gen1 REST reference, "WebHDFS FileSystem APIs"; recorded responses in the tests of
azure-datalake-store.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import ClassVar, cast

from cloudfiles.credentials.adl import AdlProvider
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.interfaces.adl.operations import (
    AdlAccessControl,
    AdlAppending,
    AdlConcatenation,
    AdlDirectories,
    AdlExpiry,
)
from cloudfiles.interfaces.capabilities import (
    AccessControl,
    Appending,
    C,
    Capability,
    Concatenation,
    Directories,
    Expiry,
    Kind,
)
from cloudfiles.interfaces.webhdfs.endpoint import API, Cluster, Dialect
from cloudfiles.interfaces.webhdfs.interface import WebHdfsInterface
from cloudfiles.interfaces.webhdfs.objects import Namespace
from cloudfiles.interfaces.webhdfs.protocol import UserProvider
from cloudfiles.paths import ExtractedPath
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.request import Origin
from cloudfiles.types import StoreOptions

SUFFIX = "azuredatalakestore.net"

GEN1 = Dialect(two_steps=False, parameters={"CREATE": {"write": "true"}, "OPEN": {"read": "true"},
                                            "APPEND": {"append": "true"}},
               concat="MSCONCAT", list_size=4000, checksums=False, append_offset=True, end_of_removed_entry="")

_CAPABILITIES: Mapping[Kind[Capability], Callable[[Namespace], Capability]] = {
    Directories: AdlDirectories, AccessControl: AdlAccessControl, Appending: AdlAppending, Expiry: AdlExpiry,
    Concatenation: AdlConcatenation}

_SUFFIX_VARIABLES = ("azure_url_suffix", "azure_data_lake_store_url_suffix")
_LOOPBACK = re.compile(r"127(?:\.[0-9]+){3}|localhost|::1").fullmatch


class AdlInterface(WebHdfsInterface):
    """The files below one directory of a store; see the module docstring."""

    dialect: ClassVar[Dialect] = GEN1

    def _find_cluster(self, location: ExtractedPath, options: StoreOptions) -> Cluster:
        host = (location.host or "").partition("://")[2].rpartition("@")[2]
        if options.endpoint is not None:
            origin = Origin.of(options.endpoint)
        else:
            suffix = _suffix()
            origin = Origin.of(f"https://{host}" if "." in host else f"https://{host}.{suffix}")
            if not options.no_sign_request and not origin.host.endswith(f".{suffix}"):
                raise ConfigurationError(
                    f"{origin} is not a store of Data Lake Storage Gen1 (*.{suffix}): a token is not sent to a server "
                    "that only the cloudpath names; pass it as endpoint= as well")
        if origin.scheme != "https" and not _LOOPBACK(origin.host):
            raise ConfigurationError(f"{origin} is not HTTPS: bearer tokens are not sent over unencrypted connections")
        return Cluster((origin,), API)

    def capability(self, kind: Kind[C]) -> C | None:
        operations = _CAPABILITIES.get(kind)
        return None if operations is None else cast("C", operations(self._files))

    def reason_without(self, kind: Kind[Capability]) -> str:
        return ""

    def _find_credentials(self, options: StoreOptions, runtime: Runtime) -> UserProvider:
        return AdlProvider(self._cluster.origin.host, options.secrets, anonymous=options.no_sign_request,
                           clock=self._client.clock.wall, sleep=runtime.sleep, run_in_thread=runtime.run_in_thread)


def _suffix() -> str:
    environ = {name.lower(): value for name, value in os.environ.items()}
    return next((environ[name] for name in _SUFFIX_VARIABLES if environ.get(name)), SUFFIX).strip(".").lower()
