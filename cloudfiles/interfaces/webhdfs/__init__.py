"""The protocols `webhdfs://` and `swebhdfs://`."""

from cloudfiles.interfaces.webhdfs.interface import WebHdfsInterface

__all__ = ["WebHdfsInterface"]
