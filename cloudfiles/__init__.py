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
    from cloudfiles import testing as testing
    from cloudfiles.aio.async_cloudfiles import AsyncCloudFiles
    from cloudfiles.batch.processes import close_workers, reset_connection_pools
    from cloudfiles.bucket import Bucket, Storage
    from cloudfiles.cloud_path import CloudPath
    from cloudfiles.cloudfile import CloudFile
    from cloudfiles.cloudfiles import CloudFiles
    from cloudfiles.files import download_file, download_fileobj, upload_file, upload_fileobj
    from cloudfiles.functions import dl, sync, verify
    from cloudfiles.interfaces.mem import clear_memory
    from cloudfiles.results import GetResult, ObjectHead, SizeSummary
    from cloudfiles.tasks.downloader import Downloader
    from cloudfiles.tasks.uploader import Uploader
    from cloudfiles.transfer.journal.resumable_transfer import ResumableTransfer
    from cloudfiles.transfer.result import TransferResult
    from cloudfiles.transfer.sync import SyncResult
    from cloudfiles.transfer.verify import VerifyResult

_NAMES = {
    "Bucket": "cloudfiles.bucket:Bucket",
    "Storage": "cloudfiles.bucket:Storage",
    "CloudFiles": "cloudfiles.cloudfiles:CloudFiles",
    "CloudFile": "cloudfiles.cloudfile:CloudFile",
    "CloudPath": "cloudfiles.cloud_path:CloudPath",
    "ResumableTransfer": "cloudfiles.transfer.journal.resumable_transfer:ResumableTransfer",
    "dl": "cloudfiles.functions:dl",
    "clear_memory": "cloudfiles.interfaces.mem:clear_memory",
    "sync": "cloudfiles.functions:sync",
    "verify": "cloudfiles.functions:verify",
    "reset_connection_pools": "cloudfiles.batch.processes:reset_connection_pools",
    "close_workers": "cloudfiles.batch.processes:close_workers",
    "download_file": "cloudfiles.files:download_file",
    "download_fileobj": "cloudfiles.files:download_fileobj",
    "upload_file": "cloudfiles.files:upload_file",
    "upload_fileobj": "cloudfiles.files:upload_fileobj",
    "Uploader": "cloudfiles.tasks.uploader:Uploader",
    "Downloader": "cloudfiles.tasks.downloader:Downloader",
    "GetResult": "cloudfiles.results:GetResult",
    "ObjectHead": "cloudfiles.results:ObjectHead",
    "SizeSummary": "cloudfiles.results:SizeSummary",
    "TransferResult": "cloudfiles.transfer.result:TransferResult",
    "SyncResult": "cloudfiles.transfer.sync:SyncResult",
    "VerifyResult": "cloudfiles.transfer.verify:VerifyResult",
    "AsyncCloudFiles": "cloudfiles.aio.async_cloudfiles:AsyncCloudFiles",
}
_MODULES = ("aio", "compression", "datalake", "exceptions", "files", "filesystem", "interfaces", "lib", "monitoring",
            "paths", "secrets", "testing")

__all__ = [
    "AsyncCloudFiles", "Bucket", "CloudFile", "CloudFiles", "CloudPath", "Downloader", "GetResult", "ObjectHead",
    "ResumableTransfer", "SizeSummary", "Storage", "SyncResult", "TransferResult", "Uploader", "VerifyResult",
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
