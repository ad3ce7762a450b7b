"""Requests that are answered by JSON."""

from __future__ import annotations

from typing import Any

from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.documents import parse_json
from cloudfiles.transport.request import Request, Response


def parse_answer(response: Response, path: str | None) -> dict[str, Any]:
    """The JSON object in an answer, {} where it has no body. Raises ProtocolError."""
    return parse_json(response, "the response", path) if response.content else {}


class JsonRequest(Request):
    """Gives the answer's JSON object; None where the object that it concerns is missing.

    Attributes:
        rejections: attempts that the server rejected without acting on them.
    """

    __slots__ = ("rejections",)

    def __init__(self, *args: Any, **options: Any) -> None:
        Request.__init__(self, *args, **options)
        self.rejections = 0

    @property
    def may_have_acted(self) -> bool:
        """Whether a try that failed may have been carried out nevertheless."""
        return self.retries > self.rejections

    def accept(self, response: Response) -> dict[str, Any] | None:
        if response.status < 300:
            if self.method == "GET" and (response.status != 200 or not response.content):
                raise ProtocolError(f"the server responded with {response.status} and {len(response.content)} bytes; "
                                    "expected JSON", path=self.path)
            document = parse_answer(response, self.path)
            if "error" in document:
                raise self.protocol.to_error(self, response)
            return document
        self.rejections += response.status < 500 or response.status == 503
        if self.protocol.is_missing(response):
            return None
        raise self.protocol.to_error(self, response)


class BucketRequest(JsonRequest):
    """A request that no object needs to be there for: a 404 is about the bucket."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, Any] | None:
        found = JsonRequest.accept(self, response)
        if found is None:
            raise self.protocol.to_error(self, response)
        return found
