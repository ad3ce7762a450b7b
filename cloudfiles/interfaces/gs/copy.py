"""Objects made of objects, without their bytes passing through here: copies by rewrite, and compositions.

Source: Cloud Storage JSON API reference, "Objects: rewrite" and "Objects: compose".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cloudfiles.exceptions import InvalidInputError, ProtocolError
from cloudfiles.interfaces.gs.objects import GsBucket, quote_name
from cloudfiles.interfaces.gs.protocol import JsonRequest
from cloudfiles.interfaces.gs.resource import WRITTEN

MAX_COMPOSED = 32
"""Objects that one request composes."""


def rewrite(source: GsBucket, source_key: str, bucket: GsBucket, key: str, resource: dict[str, Any] | None,
            generation: str | None) -> dict[str, Any] | None:
    """Copy an object; gives the WRITTEN fields of the copy, None where the source is missing.

    A large copy between places or storage classes takes several requests; each says how to go on.

    resource: the copy's metadata; None to keep the source's.
    generation: that the source must have, None for any. Raises PreconditionFailedError where it has another one.
    """
    operation = f"/rewriteTo/b/{quote_name(bucket.name)}/o/{quote_name(bucket.full_name(key))}"
    body = b"" if resource is None else json.dumps(resource).encode()
    token: str | None = None
    while True:
        target = source.target(source.full_name(source_key), operation, rewriteToken=token,
                               ifSourceGenerationMatch=generation, fields=f"done,rewriteToken,resource({WRITTEN})")
        answer = bucket.ask("POST", target, body, path=key)
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
    """The request that makes the object of the full name `name` of up to 32 objects; answered by its WRITTEN fields.

    sources: full names, and the generation that each must have, None for any.
    Raises InvalidInputError for more, or none.
    """
    if not 0 < len(sources) <= MAX_COMPOSED:
        raise InvalidInputError(f"expected 1 to {MAX_COMPOSED} objects to compose, got {len(sources)}", path=key)
    objects = [{"name": source} if generation is None else {"name": source, "generation": generation}
               for source, generation in sources]
    body = json.dumps({"sourceObjects": objects, "destination": resource}).encode()
    target = bucket.target(name, "/compose", ifGenerationMatch=condition, fields=WRITTEN)
    return bucket.request("POST", target, body, path=key)
