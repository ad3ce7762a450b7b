"""One file per family of clients. The order here is that of a round and of the tables."""

from __future__ import annotations

from benchmarks.clients import (
    azure_client,
    boto,
    cloud_files,
    fsspec_clients,
    google_client,
    http_clients,
    obstore_client,
    ours,
    plain_files,
    programs,
)
from benchmarks.clients.base import Client

CLIENTS: tuple[type[Client], ...] = (
    ours.Ours, ours.Gather, ours.Threads, ours.OnS3, ours.OnFastS3, *ours.FIXED, ours.Unhedged, ours.Generator,
    ours.Processes,
    obstore_client.Threads, obstore_client.Async, obstore_client.Gather,
    http_clients.Geventhttpclient, http_clients.Urllib3,
    boto.Boto, boto.Defaults, boto.Transfer, fsspec_clients.S3fs,
    google_client.Google, fsspec_clients.Gcsfs, azure_client.Azure, fsspec_clients.Adlfs,
    cloud_files.Threads, cloud_files.Green,
    programs.S5cmd, programs.Rclone, plain_files.Loop, programs.Wrk, programs.Curl,
)


def by_name(name: str) -> type[Client]:
    """The client of that name; raises a ValueError that lists the known ones."""
    for client in CLIENTS:
        if client.name == name:
            return client
    raise ValueError(f"no client {name!r}; there are: {', '.join(c.name for c in CLIENTS)}")
