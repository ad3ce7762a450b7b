"""The protocol `s3://`."""

from cloudfiles.interfaces.s3.interface import S3Interface

__all__ = ["S3Interface"]
