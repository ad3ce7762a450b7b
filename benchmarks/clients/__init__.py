"""One file a family of alternatives; the order here is the order of a round and of the tables."""

from __future__ import annotations

from benchmarks.clients import (
    boto,
    cloud_files,
    http_clients,
    obstore_client,
    ours,
    plain_files,
    programs,
    s3fs_client,
)
from benchmarks.clients.base import Client

CLIENTS: tuple[type[Client], ...] = (
    ours.Green, ours.Threads,
    obstore_client.Threads, obstore_client.Async,
    http_clients.Geventhttpclient, http_clients.Urllib3,
    boto.Boto, boto.Transfer, s3fs_client.S3fs,
    cloud_files.Threads, cloud_files.Green,
    programs.S5cmd, programs.Rclone, plain_files.Loop, programs.Wrk, programs.Curl,
)


def by_name(name: str) -> type[Client]:
    """The client of that name; a ValueError names the known ones."""
    for client in CLIENTS:
        if client.name == name:
            return client
    raise ValueError(f"no client {name!r}; there are: {', '.join(c.name for c in CLIENTS)}")
