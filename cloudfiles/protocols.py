"""The protocols that a cloudpath may name and the data formats that it may carry, one line each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """How the text after `PROTOCOL://` is read.

    Attributes:
        bucket: its first component is a bucket.
        endpoint: it may begin with another server's address, `http(s)://HOST`.
        at_host: a bucket may be followed by the server that has it: `BUCKET@HOST`.
        scheme: it is a web address of this scheme, '' where it is not.
        https: the public address under which buckets can be read by plain HTTPS, '' where there is none.
    """

    bucket: bool = False
    endpoint: bool = False
    at_host: bool = False
    scheme: str = ""
    https: str = ""


PROTOCOLS = {
    "gs": Shape(bucket=True, endpoint=True, https="https://storage.googleapis.com"),
    "file": Shape(),
    "s3": Shape(bucket=True, endpoint=True, https="https://s3.amazonaws.com"),
    "az": Shape(bucket=True, endpoint=True),
    "abfs": Shape(bucket=True, at_host=True),
    "abfss": Shape(bucket=True, at_host=True),
    "http": Shape(scheme="http"),
    "https": Shape(scheme="https"),
    "mem": Shape(bucket=True),
    "middleauth+https": Shape(scheme="https"),
    "ngauth+https": Shape(scheme="https"),
}

FORMATS = frozenset({
    "boss", "brainmaps", "deepzoom", "dvid", "graphene", "n5", "nggraph", "nifti", "precomputed", "render", "vtk",
    "zarr", "zarr2", "zarr3",
})
"""Data formats: known here only so that a cloudpath that carries one can be taken apart."""
