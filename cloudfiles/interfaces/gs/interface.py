"""`gs://bucket/path` and `gs://http(s)://endpoint/bucket/path`: Google Cloud Storage, using its JSON API."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from cloudfiles.credentials.google import GoogleProvider
from cloudfiles.credentials.google_chain import GoogleChain
from cloudfiles.credentials.signing.google_v4 import MAX_EXPIRES, presigned_query
from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.exceptions import (
    CloudFilesError,
    ConfigurationError,
    InvalidInputError,
    ObjectChangedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.base import Interface, object_changed
from cloudfiles.interfaces.capabilities import (
    AccessControl,
    Appending,
    C,
    Capability,
    Concatenation,
    Directories,
    Expiry,
    Kind,
    Times,
)
from cloudfiles.interfaces.gs.bulk_delete import MAX_BATCH, delete_keys
from cloudfiles.interfaces.gs.composite import discard_interrupted_parts, discard_parts, may_compose, open_part_writer
from cloudfiles.interfaces.gs.concatenation import GsConcatenation
from cloudfiles.interfaces.gs.copy import rewrite
from cloudfiles.interfaces.gs.endpoint import find_endpoint
from cloudfiles.interfaces.gs.listing import list_page
from cloudfiles.interfaces.gs.objects import (
    READ_HEADERS,
    GsBoundedRead,
    GsBucket,
    GsPartRead,
    GsRead,
    MediaObject,
    described_media,
    quote_name,
)
from cloudfiles.interfaces.gs.protocol import GsProtocol
from cloudfiles.interfaces.gs.resource import (
    COPY_FIELDS,
    HEAD_FIELDS,
    METADATA_PREFIX,
    describe_resource,
    etag_of,
    generation_of,
    head_from_resource,
    resource_of,
    size_of,
)
from cloudfiles.interfaces.gs.upload import put_content
from cloudfiles.interfaces.http_store import HttpStore, ReadArguments
from cloudfiles.interfaces.part_read import TakePiece
from cloudfiles.interfaces.part_writer import InterruptedWrites, PartWriter
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.paths import ExtractedPath
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.client import Client, client_for
from cloudfiles.transport.request import BodyTooLargeError, Origin
from cloudfiles.types import Content, ListPage, StoredObject, StoreOptions, WriteOptions

_PRESIGNABLE = ("GET", "HEAD", "PUT", "DELETE")
_DECISIVE = ("GOOGLE_", "GCE_", "CLOUDSDK_", "CLOUD_FILES_DIR", "CLOUD_VOLUME_DIR", "HOME", "USERPROFILE", "APPDATA")
"""Prefixes of the environment variables that determine the credentials."""


_REASONS: Mapping[Kind[Capability], str] = {
    Directories: "a directory exists as soon as there is an object below it",
    AccessControl: "access to buckets and objects is controlled by IAM",
    Expiry: "objects expire by the lifecycle rules of the bucket",
    Times: "the service sets them",
    Appending: "objects are replaced as a whole; concat() makes larger ones"}


class GsInterface(HttpStore):
    """The objects of one bucket below one path.

    Credentials are looked up on first use, because this may involve a token server. ETags are those of the JSON API:
    opaque, without quotes, different after every change of the object or its metadata.
    """

    traits = StoreTraits(lists_in_key_order=True, delete_batch=MAX_BATCH, metadata_prefix=METADATA_PREFIX,
                         reads_public_buckets=True)
    read_request = GsRead
    part_request = GsPartRead

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime, *,
                 client: Client | None = None, provider: GoogleProvider | None = None) -> None:
        name = location.bucket or ""
        path = location.path or ""
        root = path if not path or path.endswith("/") else path + "/"
        self._threshold = options.composite_upload_threshold
        self._client = client or client_for(runtime, options)
        endpoint = find_endpoint(location.host or options.endpoint, os.environ)
        self._origin = endpoint.origin
        if options.secrets is not None and not endpoint.is_safe:
            raise ConfigurationError(f"{endpoint.origin} is not HTTPS: tokens are not sent over unencrypted "
                                     "connections")
        self.provider = provider or provider_of(name, options, runtime, endpoint.is_google, self._client)
        self._protocol = GsProtocol(name, self.provider, runtime)
        self._bucket = GsBucket(self._client, runtime, self._protocol, endpoint, name, root)
        self._protocol.check_bucket_exists = self._bucket.exists
        self._base = f"{self._bucket.bucket_target}/o/{quote_name(root)}"
        self._media = "?alt=media"
        self._ready = options.request_payer is None

    def _resolve(self) -> GsBucket:
        """The bucket, when the billed project is known. Raises ConfigurationError if there is none."""
        if not self._ready:
            project = self.provider.project()
            if project is None:
                raise ConfigurationError("request_payer='requester' requires a project to bill: set "
                                         "GOOGLE_CLOUD_PROJECT")
            self._bucket.user_project = project
            self._media = f"?alt=media&userProject={quote_name(project)}"
            self._ready = True
        return self._bucket

    @property
    def origin(self) -> Origin | None:
        return self._origin

    def explain_credentials(self) -> Sequence[tuple[str, str]]:
        return self.provider.explain()

    # ---- reading

    def _target(self, key: str) -> str:
        if len(key) < 3:
            self._bucket.full_name(key)  # validates the key; longer keys need no check
        return self._base + quote_name(key) + self._media

    def _read_arguments(self, key: str, start: int | None = None, end: int | None = None) -> ReadArguments:
        if not self._ready:
            self._resolve()
        return self._origin, self._target(key), READ_HEADERS.copy(), self._protocol, key

    def _version(self, key: str) -> StoredObject | None:
        found = self._resource(key, "size,etag,generation,contentEncoding")
        return None if found is None else describe_resource(found)

    def get_part(self, key: str, start: int, end: int, described: StoredObject) -> bytes:
        """See the contract. The condition is the generation, because an ETag changes with the metadata."""
        if described.generation is None:
            return super().get_part(key, start, end, described)
        with suppress(PreconditionFailedError, ObjectChangedError):
            part = self._read_version(key, start, end, described)
            if part is not None and len(part.content) == end - start:
                content: bytes = part.content
                return content
        raise object_changed(key)

    def stream_part(self, key: str, start: int, end: int, described: StoredObject, take: TakePiece) -> None:
        if described.generation is None:
            take(start, self.get_part(key, start, end, described))
        else:
            super().stream_part(key, start, end, described, take)

    def _resource(self, key: str, fields: str) -> dict[str, Any] | None:
        bucket = self._resolve()
        return bucket.resource(bucket.full_name(key), fields, key)

    def describe(self, key: str) -> StoredObject | None:
        found = self.resource(key)
        return None if found is None else describe_resource(found)

    def get_bounded(self, key: str, max_size: int) -> StoredObject | None:
        """See the contract. User-defined metadata, which a read does not return, is requested by `write_options`
        if it is needed."""
        try:
            stored: MediaObject | None = self._client.send(GsBoundedRead(*self._read_arguments(key), max_size))
        except BodyTooLargeError as declined:
            return described_media(declined.head.headers, key)
        return stored

    def write_options(self, stored: StoredObject) -> WriteOptions:
        """See the contract. Raises ObjectChangedError if it has to be requested and has changed in the meantime."""
        if isinstance(stored, MediaObject):
            stored = self._described_again(stored)
        return super().write_options(stored)

    def _described_again(self, stored: MediaObject) -> StoredObject:
        bucket = self._resolve()
        with suppress(PreconditionFailedError):
            found = bucket.resource(bucket.full_name(stored.key), COPY_FIELDS, stored.key, stored.generation)
            if found is not None:
                return describe_resource(found)
        raise object_changed(stored.key)

    def resource(self, key: str) -> dict[str, Any] | None:
        """The resource of an object, including custom metadata; None if it is missing."""
        return self._resource(key, COPY_FIELDS)

    def head(self, key: str) -> dict[str, Any] | None:
        found = self._resource(key, HEAD_FIELDS)
        return None if found is None else head_from_resource(found)

    def exists(self, key: str) -> bool:
        return self._resource(key, "size") is not None

    def size(self, key: str) -> int | None:
        found = self._resource(key, "size")
        return None if found is None else size_of(found)

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        return list_page(self._resolve(), prefix, flat=flat, start_after=start_after, token=token, limit=limit)

    # ---- writing

    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        """See the contract. Conditions are atomic; `if_match` takes one additional request."""
        return put_content(self._resolve(), key, content, options, self._threshold, self.part_slots)

    def touch(self, key: str) -> None:
        if not self.exists(key):
            with suppress(PreconditionFailedError):  # created by somebody else in the meantime
                self.put(key, b"", WriteOptions(if_absent=True))

    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        return delete_keys(self._resolve(), keys)

    # ---- copying and concatenating

    def can_copy_from(self, source: Interface) -> bool:
        """Between buckets of one service; these credentials must have read access to the source."""
        return isinstance(source, GsInterface) and source._origin == self._origin

    def copy_from(self, source: Interface, source_key: str, key: str, options: CopyOptions) -> CopyResult | None:
        """By rewrite, whatever the size. If `options` require a version or changes, the source is looked up first."""
        assert isinstance(source, GsInterface)
        found = None
        if options.etag is not None or options.change is not None:
            found = source.resource(source_key)
            if found is None:
                return None
            if options.etag not in (None, found.get("etag")):
                raise ObjectChangedError(f"the object has the ETag {found.get('etag')}; expected {options.etag}",
                                         path=source_key)
        changed = None
        if found is not None and options.change is not None:
            changed = resource_of(options.change(self.write_options(describe_resource(found))))
        try:
            copy = rewrite(source._resolve(), source_key, self._resolve(), key, changed,
                           generation_of(found, source_key) if found else None)
        except PreconditionFailedError as error:
            raise ObjectChangedError("the object was replaced before it was copied", path=source_key) from error
        return None if copy is None else CopyResult(size_of(copy), etag_of(copy))

    def capability(self, kind: Kind[C]) -> C | None:
        return cast("C", GsConcatenation(self._resolve(), self.part_slots)) if kind is Concatenation else None

    def reason_without(self, kind: Kind[Capability]) -> str:
        return _REASONS.get(kind, "")

    def open_writer(self, key: str, size: int, options: WriteOptions,
                    state: Mapping[str, Any] | None = None) -> PartWriter | None:
        """See the contract: parts are separate objects until they are composed. None up to
        `composite_upload_threshold`, because parts cost more, and if the settings or permissions of the bucket forbid
        them."""
        bucket = self._resolve()
        if not state and (size <= self._threshold or not may_compose(bucket, options.storage_class)):
            return None
        return open_part_writer(bucket, key, size, options, state)

    def discard_partial(self, prefix: str, older_than: float) -> int:
        """See the contract: removes parts of composite uploads. Sessions leave nothing that is visible or billed."""
        return discard_parts(self._resolve(), prefix, self._client.clock.wall() - older_than)

    def discard_interrupted(self, interrupted: InterruptedWrites) -> int:
        return discard_interrupted_parts(self._resolve(), interrupted)

    # ---- presigning

    def presign(self, key: str, expires: float, method: str) -> str:
        """A URL that allows `method` on `key` for `expires` seconds.

        It is signed with the key of a service account, or by Google (signBlob) if there is no key. Raises
        InvalidInputError for a method or time that cannot be signed, UnsupportedOperationError if the credentials do
        not belong to a service account, AuthorizationError if Google refuses to sign.
        """
        if method.upper() not in _PRESIGNABLE:
            raise InvalidInputError(f"presign: method: expected one of {', '.join(_PRESIGNABLE)}, got {method!r}")
        if not 1 <= expires <= MAX_EXPIRES:
            raise InvalidInputError(f"presign: expires: expected 1 to {MAX_EXPIRES} seconds (7 days), got {expires!r}")
        bucket = self._resolve()
        path = f"{bucket.endpoint.path}/{quote_key(bucket.name)}/{quote_key(bucket.full_name(key))}"
        token = self.provider.get()
        if not token.authorization:
            return f"{self._origin}{path}"
        if token.signer is None:
            raise UnsupportedOperationError(
                f"presigning requires a service account, and the credentials from {token.source} are not one. Use a "
                "service account key, or credentials that impersonate a service account", path=key)
        more = {"userProject": bucket.user_project} if bucket.user_project else None
        sign: Callable[..., Any] = presigned_query
        if token.signer.is_remote:
            sign = partial(bucket.runtime.run_in_thread, presigned_query)
        query = sign(method.upper(), path, self._origin.authority, int(expires), self._client.clock.wall(),
                     token.signer, more)
        return f"{self._origin}{path}?{query}"


def provider_of(bucket: str, options: StoreOptions, runtime: Runtime, is_google: bool,
                client: Client) -> GoogleProvider:
    """The credentials given by `options` and the environment, for `runtime`.

    Interfaces of the same bucket share them, so that a token is requested once an hour and not by each `CloudFiles`.
    """
    environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(_DECISIVE)))
    key = ("google", bucket, _digest(options.secrets), options.no_sign_request, is_google, options.tls, environment)
    shared = runtime.resources.get(key)
    if not isinstance(shared, GoogleProvider):
        shared = runtime.resources[key] = _new_provider(bucket, options, runtime, is_google, client)
    return shared


def _digest(secrets: Any) -> str:
    """A key for `secrets` in memory that does not contain them."""
    text = repr(sorted(secrets.items()) if isinstance(secrets, Mapping) else secrets)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _new_provider(bucket: str, options: StoreOptions, runtime: Runtime, is_google: bool,
                  client: Client) -> GoogleProvider:
    return GoogleProvider(bucket, options.secrets, anonymous=options.no_sign_request, explicit_only=not is_google,
                          clock=client.clock.wall, sleep=runtime.sleep, run_in_thread=runtime.run_in_thread,
                          chain=GoogleChain(options.tls))
