"""Whether a bucket or a container exists: what a 404 that does not say what is missing is decided by."""

from __future__ import annotations

from cloudfiles.transport.request import Request, Response


class BucketExistsRequest(Request):
    """A request for the bucket itself; returns whether it exists."""

    __slots__ = ()

    def accept(self, response: Response) -> bool:
        if response.status in (200, 404):
            return response.status == 200
        raise self.protocol.to_error(self, response)
