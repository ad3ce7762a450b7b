"""What came back."""

from __future__ import annotations


class Response:
    """A complete answer.

    Attributes:
        content: the whole body as bytes; decoded from chunks, but never from its content encoding.
    """

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content
