"""cloudfiles: batch access to cloud storage.

    from cloudfiles import CloudFiles

    cf = CloudFiles("s3://bucket/dir/")
    cf.puts([("a", b"1"), ("b", b"2")])
    cf.get(["a", "b"])

Names are resolved when first used: importing the package does no I/O and loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

if TYPE_CHECKING:
    from cloudfiles import compression, exceptions, paths, secrets
    from cloudfiles.aio.async_cloudfiles import AsyncCloudFiles
    from cloudfiles.batch.processes import close_workers, reset_connection_pools
    from cloudfiles.bucket import Bucket, Storage
    from cloudfiles.cloudfile import CloudFile
    from cloudfiles.cloudfiles import CloudFiles
    from cloudfiles.downloads import dl
    from cloudfiles.interfaces.mem import clear_memory
    from cloudfiles.moving import sync, verify
    from cloudfiles.transfer.journaled.resumable import ResumableTransfer
    from cloudfiles.transfer.single.files import download_file, download_fileobj, upload_file, upload_fileobj
    from cloudfiles.transfer.tasks.up_and_down import Downloader, Uploader

_NAMES = {
    "Bucket": "cloudfiles.bucket:Bucket",
    "Storage": "cloudfiles.bucket:Storage",
    "CloudFiles": "cloudfiles.cloudfiles:CloudFiles",
    "CloudFile": "cloudfiles.cloudfile:CloudFile",
    "ResumableTransfer": "cloudfiles.transfer.journaled.resumable:ResumableTransfer",
    "dl": "cloudfiles.downloads:dl",
    "clear_memory": "cloudfiles.interfaces.mem:clear_memory",
    "sync": "cloudfiles.moving:sync",
    "verify": "cloudfiles.moving:verify",
    "reset_connection_pools": "cloudfiles.batch.processes:reset_connection_pools",
    "close_workers": "cloudfiles.batch.processes:close_workers",
    "download_file": "cloudfiles.transfer.single.files:download_file",
    "download_fileobj": "cloudfiles.transfer.single.files:download_fileobj",
    "upload_file": "cloudfiles.transfer.single.files:upload_file",
    "upload_fileobj": "cloudfiles.transfer.single.files:upload_fileobj",
    "Uploader": "cloudfiles.transfer.tasks.up_and_down:Uploader",
    "Downloader": "cloudfiles.transfer.tasks.up_and_down:Downloader",
    "AsyncCloudFiles": "cloudfiles.aio.async_cloudfiles:AsyncCloudFiles",
}
_MODULES = ("aio", "compression", "datalake", "exceptions", "files", "interfaces", "lib", "monitoring", "paths",
            "secrets")

__all__ = [
    "AsyncCloudFiles", "Bucket", "CloudFile", "CloudFiles", "Downloader", "ResumableTransfer", "Storage",
    "Uploader",
    "clear_memory", "close_workers", "compression", "dl", "download_file", "download_fileobj", "exceptions", "paths",
    "reset_connection_pools", "secrets", "sync", "upload_file", "upload_fileobj", "verify",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        module, attribute = _NAMES[name].split(":")
        value = getattr(import_module(module), attribute)
    elif name in _MODULES:
        value = import_module(f"cloudfiles.{name}")
    else:
        raise AttributeError(f"module 'cloudfiles' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
