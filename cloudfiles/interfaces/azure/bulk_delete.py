"""Deleting: 256 blobs per request; each request in the batch is authorized separately.

Source: Azure Storage REST reference, "Blob Batch", "Delete Blob".
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cloudfiles.exceptions import CloudFilesError, ServerError, TransportError
from cloudfiles.interfaces.azure.objects import AzureContainer
from cloudfiles.interfaces.azure.protocol import build_error
from cloudfiles.interfaces.documents import parse_batch
from cloudfiles.interfaces.store_requests import BulkDeleteRequest, DeleteRequest, delete_in_bulk, delete_one_by_one
from cloudfiles.transport.request import Request, Response

MAX_BATCH = 256


def delete_keys(container: AzureContainer, keys: Sequence[str]) -> dict[str, CloudFilesError]:
    """Delete up to 256 keys; returns the errors by key. A blob with snapshots is not deleted."""
    if len(keys) == 1 or not container.batch_deletes:
        return _delete_one_by_one(container, keys)
    errors = delete_in_bulk(container.client, _BulkDelete(container, keys))
    if errors is None:
        container.batch_deletes = False
        return _delete_one_by_one(container, keys)
    return errors


def _delete_one_by_one(container: AzureContainer, keys: Sequence[str]) -> dict[str, CloudFilesError]:
    return delete_one_by_one(container.client, keys, lambda key: DeleteRequest(
        container.origin, "DELETE", container.target(key), {}, protocol=container.protocol, path=key))


class _BulkDelete(BulkDeleteRequest):
    """One batch. Returns the errors by key. It is repeated while any of them is transient."""

    __slots__ = ("_boundary", "_container", "_keys", "_targets")

    def __init__(self, container: AzureContainer, keys: Sequence[str]) -> None:
        self._container = container
        self._keys = keys
        self._targets = [container.target(key) for key in keys]
        self._boundary = f"batch_{secrets.token_hex(16)}"
        self.errors: dict[str, CloudFilesError] = {}
        Request.__init__(self, container.origin, "POST",
                         container.container_target({"restype": "container", "comp": "batch"}),
                         {"content-type": f"multipart/mixed; boundary={self._boundary}"}, protocol=container.protocol)

    def encode(self, host: str, now: float) -> bytes:
        """Created for each attempt, because the signatures inside have to be new as well."""
        self.body = "".join([self._part(number, target) for number, target in enumerate(self._targets)]
                            + [f"--{self._boundary}--\r\n"]).encode("latin-1")
        return Request.encode(self, host, now)

    def _part(self, number: int, target: str) -> str:
        protocol = self._container.protocol
        credentials = protocol.credentials()
        lines = ""
        if credentials is not None and credentials.key is not None:
            context = protocol.signing_context(credentials)
            lines = f"x-ms-date: {context.date}\r\nauthorization: {context.authorization('DELETE', target, {})}\r\n"
        elif credentials is not None and credentials.sas is not None:
            target += f"?{credentials.sas}"
        elif credentials is not None:
            lines = f"authorization: Bearer {credentials.token}\r\n"
        return (f"--{self._boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
                f"Content-ID: {number}\r\n\r\nDELETE {target} HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n")

    def accept(self, response: Response) -> dict[str, CloudFilesError]:
        if response.status != 202:
            raise self.to_error(response)
        self.errors = self._read(response)
        transient = next((e for e in self.errors.values()
                          if isinstance(e, ServerError) and (e.is_transient or e.is_slow_down)), None)
        if transient is not None:
            raise transient
        return self.errors

    def _read(self, response: Response) -> dict[str, CloudFilesError]:
        unanswered = dict(enumerate(self._keys))
        errors: dict[str, CloudFilesError] = {}
        for number, answer in parse_batch(response):
            key = unanswered.pop(-1 if number is None else number, None)
            if key is None:
                raise build_error(answer, None, self._container.endpoint.container)  # the batch itself failed
            if answer.status >= 300 and not self.protocol.is_missing(answer):
                errors[key] = build_error(answer, key, self._container.endpoint.container)
        errors.update((key, TransportError("the response to a batch request does not mention the key", path=key))
                      for key in unanswered.values())
        return errors
