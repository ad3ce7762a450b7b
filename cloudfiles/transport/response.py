"""A response to a request."""

from __future__ import annotations


class Response:
    """A complete response.

    Attributes:
        content: the whole body; chunks are joined, but its content encoding is not decoded.
    """

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content
