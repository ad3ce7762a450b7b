"""Servers for tests: an S3 server that keeps objects in memory and fails on request.

    from cloudfiles import CloudFiles
    from cloudfiles.testing import S3Server, slow_down

    with S3Server() as server:
        cf = CloudFiles(server.cloudpath(), secrets=server.secrets)
        server.fail(slow_down(), method="GET", times=2)
        cf["a"] = b"content"
        assert cf["a"] == b"content"
        assert [request.status for request in server.requests("GET")] == [503, 503, 200]

`import cloudfiles` does not load this package.
"""

from cloudfiles.testing.http_messages import RecordedRequest, ServerRequest, ServerResponse
from cloudfiles.testing.rules import FLAKY, IncomingRequest, Rule, mix
from cloudfiles.testing.s3_objects import StoredObject
from cloudfiles.testing.s3_server import S3Server
from cloudfiles.testing.s3_settings import S3Settings
from cloudfiles.testing.server_faults import (
    CloseBefore,
    ConnectionEnd,
    Fault,
    FlipBit,
    IgnoreRange,
    RangeAs200,
    Replaced,
    ResetBefore,
    ResetInBody,
    ResetInHead,
    ResetInUpload,
    SetHeader,
    ShortBody,
    SilentClose,
    Stall,
    Status,
    WireResponse,
    WrongContentRange,
    error_in_200,
    expired_token,
    internal_error,
    precondition_failed,
    redirect,
    s3_error,
    slow_down,
    time_too_skewed,
    too_many_requests,
    wrong_region,
)
from cloudfiles.testing.wire_faults import (
    BothLengths,
    Chunked,
    CloseDelimited,
    CutChunked,
    Delay,
    EndlessHeader,
    Interim,
    LongBody,
    ObsFold,
    Pieces,
    Raw,
    TwoLengths,
)

__all__ = [
    "S3Server", "S3Settings", "StoredObject", "RecordedRequest",
    "Rule", "mix", "FLAKY", "IncomingRequest",
    "Fault", "ServerRequest", "ServerResponse", "WireResponse", "ConnectionEnd",
    "Status", "s3_error", "slow_down", "internal_error", "too_many_requests", "time_too_skewed", "expired_token",
    "wrong_region", "redirect", "precondition_failed", "error_in_200",
    "CloseBefore", "ResetBefore", "ResetInHead", "ResetInBody", "ResetInUpload", "ShortBody", "Stall", "SilentClose",
    "FlipBit", "IgnoreRange", "RangeAs200", "WrongContentRange", "SetHeader", "Replaced",
    "Chunked", "CutChunked", "Interim", "CloseDelimited", "Pieces", "Delay",
    "Raw", "EndlessHeader", "ObsFold", "LongBody", "BothLengths", "TwoLengths",
]
