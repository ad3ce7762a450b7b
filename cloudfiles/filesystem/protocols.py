"""The file systems of whole protocols, whose paths contain the bucket, and their names in fsspec."""

from __future__ import annotations

from cloudfiles.filesystem.filesystem import CloudFileSystem


class S3FileSystem(CloudFileSystem):
    """All buckets of `s3://`."""

    _scheme = "s3"


class GoogleFileSystem(CloudFileSystem):
    """All buckets of `gs://`."""

    _scheme = "gs"


class AzureFileSystem(CloudFileSystem):
    """All containers of `az://`."""

    _scheme = "az"


class AbfsFileSystem(CloudFileSystem):
    """All file systems of `abfs://`: `abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/path`."""

    _scheme = "abfs"


class AbfssFileSystem(CloudFileSystem):
    """All file systems of `abfss://`: `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/path`."""

    _scheme = "abfss"


class LocalFileSystem(CloudFileSystem):
    """Local files, by their absolute paths."""

    _scheme = "file"
    root_marker = "/"


class MemoryFileSystem(CloudFileSystem):
    """All buckets of `mem://`."""

    _scheme = "mem"


class HTTPFileSystem(CloudFileSystem):
    """All servers of `http://`."""

    _scheme = "http"


class HTTPSFileSystem(CloudFileSystem):
    """All servers of `https://`."""

    _scheme = "https"


class WebHDFSFileSystem(CloudFileSystem):
    """All name nodes of `webhdfs://`: `webhdfs://HOST:PORT/path`."""

    _scheme = "webhdfs"


class SecureWebHDFSFileSystem(CloudFileSystem):
    """All name nodes of `swebhdfs://`: `swebhdfs://HOST:PORT/path`."""

    _scheme = "swebhdfs"


class AdlFileSystem(CloudFileSystem):
    """All accounts of `adl://` (Data Lake Storage Gen1): `adl://STORE/path`."""

    _scheme = "adl"


FILE_SYSTEMS: dict[str, type[CloudFileSystem]] = {cls._scheme: cls for cls in (
    S3FileSystem, GoogleFileSystem, AzureFileSystem, AbfsFileSystem, AbfssFileSystem, LocalFileSystem,
    MemoryFileSystem, HTTPFileSystem, HTTPSFileSystem, WebHDFSFileSystem, SecureWebHDFSFileSystem, AdlFileSystem)}
"""By protocol."""
