"""The file systems of whole protocols, whose paths contain the bucket, and their names in fsspec."""

from __future__ import annotations

from typing import ClassVar

from cloudfiles.filesystem.filesystem import CloudFileSystem


class S3FileSystem(CloudFileSystem):
    """All buckets of `s3://`."""

    _scheme: ClassVar[str] = "s3"
    protocol = ("cf+s3", "s3")


class GoogleFileSystem(CloudFileSystem):
    """All buckets of `gs://`."""

    _scheme: ClassVar[str] = "gs"
    protocol = ("cf+gs", "gs")


class AzureFileSystem(CloudFileSystem):
    """All containers of `az://`."""

    _scheme: ClassVar[str] = "az"
    protocol = ("cf+az", "az")


class AbfsFileSystem(CloudFileSystem):
    """All file systems of `abfs://`: `abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/path`."""

    _scheme: ClassVar[str] = "abfs"
    protocol = ("cf+abfs", "abfs")


class AbfssFileSystem(CloudFileSystem):
    """All file systems of `abfss://`: `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/path`."""

    _scheme: ClassVar[str] = "abfss"
    protocol = ("cf+abfss", "abfss")


class LocalFileSystem(CloudFileSystem):
    """Local files, by their absolute paths."""

    _scheme: ClassVar[str] = "file"
    root_marker = "/"
    protocol = ("cf+file", "file")


class MemoryFileSystem(CloudFileSystem):
    """All buckets of `mem://`."""

    _scheme: ClassVar[str] = "mem"
    protocol = ("cf+mem", "mem")


class HTTPFileSystem(CloudFileSystem):
    """All servers of `http://`."""

    _scheme: ClassVar[str] = "http"
    protocol = ("cf+http", "http")


class HTTPSFileSystem(CloudFileSystem):
    """All servers of `https://`."""

    _scheme: ClassVar[str] = "https"
    protocol = ("cf+https", "https")


class WebHDFSFileSystem(CloudFileSystem):
    """All name nodes of `webhdfs://`: `webhdfs://HOST:PORT/path`."""

    _scheme: ClassVar[str] = "webhdfs"
    protocol = ("cf+webhdfs", "webhdfs")


class SecureWebHDFSFileSystem(CloudFileSystem):
    """All name nodes of `swebhdfs://`: `swebhdfs://HOST:PORT/path`."""

    _scheme: ClassVar[str] = "swebhdfs"
    protocol = ("cf+swebhdfs", "swebhdfs")


class AdlFileSystem(CloudFileSystem):
    """All accounts of `adl://` (Data Lake Storage Gen1): `adl://STORE/path`."""

    _scheme: ClassVar[str] = "adl"
    protocol = ("cf+adl", "adl")


FILE_SYSTEMS: dict[str, type[CloudFileSystem]] = {cls._scheme: cls for cls in (
    S3FileSystem, GoogleFileSystem, AzureFileSystem, AbfsFileSystem, AbfssFileSystem, LocalFileSystem,
    MemoryFileSystem, HTTPFileSystem, HTTPSFileSystem, WebHDFSFileSystem, SecureWebHDFSFileSystem, AdlFileSystem)}
"""By protocol."""
