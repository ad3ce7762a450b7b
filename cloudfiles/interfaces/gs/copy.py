"""Creating objects from objects on the server: copies by rewrite, and compositions.

Source: Cloud Storage JSON API reference, "Objects: rewrite" and "Objects: compose".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cloudfiles.exceptions import InvalidInputError, ProtocolError
from cloudfiles.interfaces.gs.objects import GsBucket, quote_name
from cloudfiles.interfaces.gs.protocol import JsonRequest
from cloudfiles.interfaces.gs.resource import WRITTEN_FIELDS

MAX_COMPOSED = 32
"""Maximum number of objects composed by one request."""


def rewrite(source: GsBucket, source_key: str, bucket: GsBucket, key: str, resource: dict[str, Any] | None,
            generation: str | None) -> dict[str, Any] | None:
    """Copy an object; returns the WRITTEN_FIELDS of the copy, or None if the source is missing.

    A large copy between locations or storage classes takes several requests, linked by tokens.

    resource: the metadata of the copy; None to keep that of the source.
    generation: required generation of the source; None for any. Raises PreconditionFailedError if it is different.
    """
    operation = f"/rewriteTo/b/{quote_name(bucket.name)}/o/{quote_name(bucket.full_name(key))}"
    body = b"" if resource is None else json.dumps(resource).encode()
    token: str | None = None
    while True:
        target = source.target(source.full_name(source_key), operation, rewriteToken=token,
                               ifSourceGenerationMatch=generation,
                               fields=f"done,rewriteToken,resource({WRITTEN_FIELDS})")
        answer = bucket.send_json("POST", target, body, path=key)
        if answer is None:
            return None
        if answer.get("done"):
            resource = answer.get("resource")
            if not isinstance(resource, dict):
                raise ProtocolError("the response to a finished rewrite has no 'resource'", path=key)
            return resource
        token = answer.get("rewriteToken")
        if not token:
            raise ProtocolError("the response to an unfinished rewrite has no 'rewriteToken'", path=key)


def compose(bucket: GsBucket, key: str, name: str, sources: Sequence[tuple[str, str | None]], resource: dict[str, Any],
            condition: str | None = None) -> JsonRequest:
    """The request that composes up to 32 objects into the one with the full name `name`; returns its WRITTEN_FIELDS.

    sources: full names, and the required generation of each, None for any.
    Raises InvalidInputError for more than 32 objects, or none.
    """
    if not 0 < len(sources) <= MAX_COMPOSED:
        raise InvalidInputError(f"expected 1 to {MAX_COMPOSED} objects to compose, got {len(sources)}", path=key)
    objects = [{"name": source} if generation is None else {"name": source, "generation": generation}
               for source, generation in sources]
    body = json.dumps({"sourceObjects": objects, "destination": resource}).encode()
    target = bucket.target(name, "/compose", ifGenerationMatch=condition, fields=WRITTEN_FIELDS)
    return bucket.request("POST", target, body, path=key)
