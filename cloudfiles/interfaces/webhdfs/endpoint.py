"""The servers of a cluster, and how their dialect of WebHDFS differs.

Source: Hadoop documentation, "WebHDFS REST API", "HDFS High Availability", "HttpFS"; Apache Knox, "WebHDFS".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from cloudfiles.exceptions import InvalidPathError
from cloudfiles.paths import ExtractedPath
from cloudfiles.transport.request import Origin

API = "/webhdfs/v1"

_PORTS = {"http": 9870, "https": 9871}  # dfs.namenode.http-address and https-address since Hadoop 3


class Dialect(NamedTuple):
    """How a server's WebHDFS differs from Hadoop's.

    Attributes:
        two_steps: content is exchanged with another server, to which the first one redirects. Otherwise, all is sent
            to the first one.
        parameters: parameters that are added to an operation, by its name.
        concat: the name of the operation CONCAT.
        list_size: the maximum number of entries in a response to LISTSTATUS; 0 if it has all of them.
        checksums: whether GETFILECHECKSUM is supported.
        append_offset: whether APPEND accepts the position at which the bytes belong, and refuses any other.
        end_of_removed_entry: what an ACL entry without rights ends with, for REMOVEACLENTRIES.
    """

    two_steps: bool = True
    parameters: Mapping[str, Mapping[str, str]] = {}
    concat: str = "CONCAT"
    list_size: int = 0
    checksums: bool = True
    append_offset: bool = False
    end_of_removed_entry: str = ":"


HADOOP = Dialect()


class Cluster:
    """The NameNodes of a cluster, of which one is active, or its gateway.

    Attributes:
        origins: the servers.
        active: the index of the one that has answered last.
        base: the target of the root directory, without a slash at its end.
        userinfo: `user:password` of the cloudpath as typed; '' if there is none.
    """

    def __init__(self, origins: tuple[Origin, ...], base: str, userinfo: str = "") -> None:
        self.origins = origins
        self.base = base
        self.userinfo = userinfo
        self.active = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cluster) and (self.base, set(self.origins)) == (other.base, set(other.origins))

    def __hash__(self) -> int:
        return hash((self.base, frozenset(self.origins)))

    @property
    def origin(self) -> Origin:
        return self.origins[self.active]

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.origins))}"


def find_cluster(location: ExtractedPath, endpoint: str | None) -> Cluster:
    """The cluster of a cloudpath `webhdfs://[USER@]HOST[:PORT][,HOST[:PORT]...]/PATH`.

    endpoint: the URL of a gateway instead, with the path before that of the files (`https://knox/gateway/NAME/webhdfs/v1`
    ). Raises InvalidPathError.
    """
    scheme, _, netloc = (location.host or "").partition("://")
    userinfo, _, authorities = netloc.rpartition("@")
    if endpoint is not None:
        path = urlsplit(endpoint).path.rstrip("/")
        return Cluster((Origin.of(endpoint),), quote(path, safe="/%") or API, userinfo)
    return Cluster(tuple(_origin(scheme, authority) for authority in authorities.split(",")), API, userinfo)


def _origin(scheme: str, authority: str) -> Origin:
    if not authority:
        raise InvalidPathError("the cloudpath has an empty host")
    has_port = authority.rpartition("]")[2].rpartition(":")[1]
    return Origin.of(f"{scheme}://{authority}" if has_port else f"{scheme}://{authority}:{_PORTS[scheme]}")
