"""`s3://bucket/path` and `s3://https://endpoint/bucket/path`: Amazon S3 and compatible services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from cloudfiles.credentials.aws import AwsProvider
from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    InvalidInputError,
    ServerError,
)
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.bounded_read import object_from_headers
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
from cloudfiles.interfaces.http_store import HeaderStore, ReadArguments
from cloudfiles.interfaces.multipart import put_content, put_in_order
from cloudfiles.interfaces.part_writer import InterruptedWrites, PartWriter
from cloudfiles.interfaces.s3.bulk_delete import delete_keys
from cloudfiles.interfaces.s3.checksums import UploadChecksums
from cloudfiles.interfaces.s3.concatenation import S3Concatenation
from cloudfiles.interfaces.s3.copy import MAX_COPY, ServerSideCopy, same_service
from cloudfiles.interfaces.s3.endpoint import find_endpoint
from cloudfiles.interfaces.s3.listing import list_objects, marker_token
from cloudfiles.interfaces.s3.multipart import (
    S3Upload,
    discard_interrupted_uploads,
    discard_uploads,
    open_part_writer,
    part_size,
)
from cloudfiles.interfaces.s3.objects import (
    MAX_PUT,
    BucketHead,
    S3Bucket,
    head_object,
    head_with_checksums,
    put_whole,
    read_acl,
)
from cloudfiles.interfaces.s3.protocol import S3Protocol
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.paths import ExtractedPath
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.client import Client, client_for
from cloudfiles.transport.request import Origin
from cloudfiles.types import Content, ListPage, StoredObject, StoreOptions, WriteOptions

MAX_PRESIGNED = 7 * 24 * 3600
"""Maximum validity of URLs signed with SigV4, in seconds."""

_DIRECTORY_BUCKET = "--x-s3"
"""The end of the names of directory buckets, which do not list in key order (Amazon S3 User Guide, "Differences for
directory buckets")."""

_REASONS: Mapping[Kind[Capability], str] = {
    Directories: "a directory exists as soon as there is an object below it",
    AccessControl: "access to buckets is controlled by policies and IAM; get_acl() reads the grants of an object",
    Expiry: "objects expire by the lifecycle rules of the bucket",
    Times: "the service sets them",
    Appending: "objects are replaced as a whole; concat() makes larger ones"}

_PRESIGNABLE = ("GET", "HEAD", "PUT", "DELETE")


class S3Interface(HeaderStore):
    """The objects of one bucket below one path.

    Address and credentials are determined on first use, because this may involve botocore's chain.
    """

    traits = StoreTraits(lists_in_key_order=True, delete_batch=1000, etag_is_md5=True, no_encoding="")
    copy_threshold: ClassVar[int] = MAX_COPY
    """Size in bytes from which a copy inside S3 is made in parts."""

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime, *,
                 client: Client | None = None, provider: AwsProvider | None = None) -> None:
        self._name = location.bucket or ""
        if self._name.endswith(_DIRECTORY_BUCKET):
            self.traits = self.traits._replace(lists_in_key_order=False)
        path = location.path or ""
        self._root = path if not path or path.endswith("/") else path + "/"
        self._url = location.host or options.endpoint
        self._options = options
        self._runtime = runtime
        self._client = client or client_for(runtime, options)
        self._provider = provider or AwsProvider(
            self._name, location.alias or "aws", options.secrets, anonymous=options.no_sign_request,
            clock=self._client.clock.wall, sleep=runtime.sleep, run_in_thread=runtime.run_in_thread)
        self._headers = {"x-amz-request-payer": options.request_payer} if options.request_payer else {}
        # S3 returns checksums only on request; other servers ignore this header.
        self._read_headers = {**self._headers, "x-amz-checksum-mode": "ENABLED"}
        self._bucket: S3Bucket | None = None
        self._region_assumed = False  # none configured, and no request has been answered yet

    def _resolve(self) -> S3Bucket:
        """Look up the credentials and the address of the bucket. Raises MissingCredentialsError, ConfigurationError."""
        self._provider.get()
        region, url = self._provider.location()
        endpoint = find_endpoint(self._name, self._url or url, region)
        self._region_assumed = endpoint.is_aws and region is None
        protocol = S3Protocol(endpoint, self._provider, self._runtime, self._client.clock.wall)
        protocol.check_bucket_exists = self._check_bucket_exists
        checks = UploadChecksums(endpoint.is_aws, secure=endpoint.origin.scheme == "https")
        self._bucket = S3Bucket(self._client, self._runtime, protocol, checks, self._root,
                                endpoint.base + quote_key(self._root), self._headers, endpoint.is_aws)
        return self._bucket

    @property
    def origin(self) -> Origin | None:
        return None if self._bucket is None else self._bucket.origin

    def explain_credentials(self) -> Sequence[tuple[str, str]]:
        return self._provider.explain()

    # ---- reading

    def get_acl(self, key: str) -> dict[str, Any] | None:
        """`{'Owner': {...}, 'Grants': [{'Grantee': {...}, 'Permission': ...}]}`, with the names used by the API."""
        return read_acl(self._bucket or self._resolve(), key)

    def _read_arguments(self, key: str, start: int | None = None, end: int | None = None) -> ReadArguments:
        bucket = self._bucket or self._resolve()
        return bucket.protocol.endpoint.origin, bucket.target(key), self._read_headers.copy(), bucket.protocol, key

    def _head(self, key: str) -> dict[str, str] | None:
        return head_object(self._bucket or self._resolve(), key, self._headers)

    def _check_bucket_exists(self) -> bool:
        """Whether the server has the bucket. A bucket that may not be accessed counts as existing."""
        protocol = (self._bucket or self._resolve()).protocol
        request = BucketHead(protocol.endpoint.origin, "HEAD", protocol.endpoint.bucket_target, self._headers.copy(),
                             protocol=protocol)
        try:
            found: bool = self._client.send(request)
        except (AuthorizationError, ServerError):
            return True
        return found

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        bucket = self._bucket or self._resolve()
        try:
            page = list_objects(bucket, prefix, flat=flat, start_after=start_after, token=token, limit=limit)
        except ServerError as error:
            if error.code != "NotImplemented" or token is not None:
                raise
            # A gateway older than ListObjectsV2; the token of the page continues with ListObjects.
            page = list_objects(bucket, prefix, flat=flat, token=marker_token(start_after), limit=limit)
        bucket.protocol.bucket_exists = True
        return page

    # ---- writing

    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        """See the contract. Conditions are atomic if the server supports them, as AWS, MinIO and most others do. If the
        server is not known to support them, the object is checked first.
        """
        bucket = self._bucket or self._resolve()
        return put_content(
            self._runtime, key, content, min(self._options.composite_upload_threshold, MAX_PUT), part_size,
            lambda body: put_whole(bucket, key, body, options),
            lambda parts: put_in_order(self._runtime, S3Upload(bucket, key, options), key, parts,
                                       slots=self.part_slots))

    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        return delete_keys(self._bucket or self._resolve(), keys)

    # ---- copying

    def describe(self, key: str) -> StoredObject | None:
        headers = head_with_checksums(self._bucket or self._resolve(), key)
        return None if headers is None else object_from_headers(headers)

    def can_copy_from(self, source: Interface) -> bool:
        """Between buckets of one service with the same credentials."""
        if not isinstance(source, S3Interface):
            return False
        here, there = self._bucket or self._resolve(), source._bucket or source._resolve()
        return same_service(here, there) and self._provider.get() == source._provider.get()

    def copy_from(self, source: Interface, source_key: str, key: str, options: CopyOptions) -> CopyResult | None:
        assert isinstance(source, S3Interface)
        copy = ServerSideCopy(
            self._bucket or self._resolve(), source._bucket or source._resolve(), source_key, key, options,
            lambda: source.describe(source_key), source.write_options, self.copy_threshold)
        return copy.run()

    def is_same(self, source: Interface, source_key: str, key: str) -> bool:
        if not isinstance(source, S3Interface):
            return False
        here, there = self._bucket or self._resolve(), source._bucket or source._resolve()
        return same_service(here, there) and (
            (self._name, self._root + key) == (source._name, source._root + source_key))

    def open_writer(self, key: str, size: int, options: WriteOptions,
                    state: Mapping[str, Any] | None = None) -> PartWriter | None:
        return open_part_writer(self._bucket or self._resolve(), key, size, options, state)

    def discard_partial(self, prefix: str, older_than: float) -> int:
        return discard_uploads(self._bucket or self._resolve(), prefix, older_than, self._client.clock.wall())

    def discard_interrupted(self, interrupted: InterruptedWrites) -> int:
        return discard_interrupted_uploads(self._bucket or self._resolve(), interrupted)

    def capability(self, kind: Kind[C]) -> C | None:
        if kind is not Concatenation:
            return None
        return cast("C", S3Concatenation(self._bucket or self._resolve(), self.get_part, self.part_slots))

    def reason_without(self, kind: Kind[Capability]) -> str:
        return _REASONS.get(kind, "")

    # ---- presigning

    def presign(self, key: str, expires: float, method: str) -> str:
        """A URL that allows `method` on `key` for `expires` seconds, but no longer than the credentials are valid.

        This sends no request, except for the region of an AWS bucket if none is configured, because a URL cannot be
        corrected later.
        Raises InvalidInputError for a method or time that cannot be signed.
        """
        if method.upper() not in _PRESIGNABLE:
            raise InvalidInputError(f"presign: method: expected one of {', '.join(_PRESIGNABLE)}, got {method!r}")
        if not 1 <= expires <= MAX_PRESIGNED:
            raise InvalidInputError(f"presign: expires: expected 1 to {MAX_PRESIGNED} seconds (7 days), got "
                                    f"{expires!r}")
        bucket = self._bucket or self._resolve()
        if self._region_assumed and not bucket.protocol.bucket_exists:
            bucket.protocol.bucket_exists = self._check_bucket_exists()
            if not bucket.protocol.bucket_exists:
                raise ServerError(f"the bucket {self._name!r} does not exist at {bucket.origin}", status=404,
                                  code="NoSuchBucket", path=key)
        origin = bucket.origin
        return f"{origin}{bucket.protocol.presign(bucket.target(key), origin.authority, int(expires), method.upper())}"
