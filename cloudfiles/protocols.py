"""The protocols and data formats of cloudpaths, one line each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """How the text after `PROTOCOL://` is interpreted.

    Attributes:
        bucket: its first component is a bucket.
        endpoint: it may start with the address of a server, `http(s)://HOST`.
        at_host: a bucket may be followed by its server: `BUCKET@HOST`.
        scheme: the scheme of a web address; '' if it is none.
        https: the public address for reading buckets by plain HTTPS; '' if there is none.
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
"""Data formats, known only to parse cloudpaths that contain them."""
