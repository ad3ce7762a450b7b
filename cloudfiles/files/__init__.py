"""`download_file`, `upload_file` and their counterparts for open files; `cloudfiles.aio` has the async ones."""

from __future__ import annotations

from cloudfiles.exceptions import ApiException
from cloudfiles.files.exchange_errors import ExchangeError
from cloudfiles.files.file_download import download_file, download_fileobj
from cloudfiles.files.file_upload import upload_file, upload_fileobj

__all__ = ["ApiException", "ExchangeError", "download_file", "download_fileobj", "upload_file", "upload_fileobj"]
