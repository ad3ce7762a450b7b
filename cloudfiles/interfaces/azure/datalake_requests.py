"""Requests to the dfs endpoint."""

from __future__ import annotations

from cloudfiles.retry import REFUSED_STATUS
from cloudfiles.transport.request import Request, Response


class DfsRequest(Request):
    """Gives the answer's headers.

    Attributes:
        rejections: attempts that the server rejected without acting on them.
    """

    __slots__ = ("_rejections",)

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._rejections = 0

    @property
    def may_have_acted(self) -> bool:
        """Whether a try that failed may have been carried out nevertheless."""
        return self.retries > self._rejections

    def accept(self, response: Response) -> dict[str, str]:
        if 200 <= response.status < 300:
            return response.headers
        self._rejections += response.status < 500 or response.status in REFUSED_STATUS
        raise self.protocol.to_error(self, response)
