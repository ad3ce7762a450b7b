"""Errors of requests for single files: unexpected answers, and exchanges that keep failing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import urllib3

from cloudfiles.exceptions import (
    ApiException,
    CloudFilesError,
    ServerError,
    TransportError,
)
from cloudfiles.files.web_endpoint import TRANSIENT_STATUSES, is_redirect
from cloudfiles.retry import parse_retry_after
from cloudfiles.transport.request import Response


class ExchangeError(TransportError, urllib3.exceptions.HTTPError):
    """The exchange with the server failed, and retries failed too. Also a urllib3 HTTPError."""


class BrokenOffError(ExchangeError):
    """The body of a streamed response ended early: a pool does not retry that."""


def unexpected(request: Any, response: Response) -> Exception:
    """The meaning of an unsuccessful response: a corrected request, a retry, or an ApiException."""
    if is_redirect(response) or response.status == 401:
        corrected = request.to_error(response)
        if not isinstance(corrected, CloudFilesError):
            return corrected  # type: ignore[no-any-return]
    if response.status in TRANSIENT_STATUSES:
        return ServerError(f"the server responded with {response.status}", status=response.status, path=request.path,
                           retry_after=parse_retry_after(response.headers.get("retry-after"),
                                                         response.headers.get("date")),
                           is_slow_down=response.status != 413, is_transient=True)
    return api_exception(response.status, response.headers, response.content, request.path)


def api_exception(status: int, headers: Mapping[str, str], body: bytes, path: str | None = None,
                  reason: str = "") -> ApiException:
    if not reason and status in {known.value for known in HTTPStatus}:
        reason = HTTPStatus(status).phrase
    return ApiException(f"the server responded with {status} {reason}".rstrip(), status=status, reason=reason,
                        headers=dict(headers), body=body, path=path)


def pool_error(answer: Any, headers: Mapping[str, str]) -> Exception:
    """The error for an unsuccessful status, after the retries of the pool."""
    if answer.status in TRANSIENT_STATUSES:
        return ExchangeError(f"the server kept responding with {answer.status}")
    return api_exception(answer.status, headers, answer.data, reason=answer.reason or "")


@contextmanager
def exchange_errors() -> Iterator[None]:
    """A block whose TransportErrors become exceptions that are also urllib3's."""
    try:
        yield
    except (ApiException, ExchangeError):
        raise
    except TransportError as error:
        raise exchange_error(error) from error


def exchange_error(error: CloudFilesError) -> ExchangeError:
    return ExchangeError(str(error.args[0]) if error.args else "", path=error.path, store=error.store,
                         attempts=error.attempts, elapsed=error.elapsed)
