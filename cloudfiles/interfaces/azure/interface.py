"""`az://container/path` and `abfss://container@account.dfs.core.windows.net/path`: Azure's Blob Storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

from cloudfiles import integrity
from cloudfiles.credentials.azure import AzureCredentials, AzureProvider
from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.exceptions import (
    CloudFilesError,
    ConfigurationError,
    InvalidInputError,
    InvalidPathError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.azure.access_control import AzureAccessControl
from cloudfiles.interfaces.azure.appending import AzureAppending
from cloudfiles.interfaces.azure.bulk_delete import MAX_BATCH, delete_keys
from cloudfiles.interfaces.azure.concatenation import AzureConcatenation
from cloudfiles.interfaces.azure.copy import ServerSideCopy
from cloudfiles.interfaces.azure.directories import AzureDirectories
from cloudfiles.interfaces.azure.endpoint import Endpoint, account_of, find_endpoint
from cloudfiles.interfaces.azure.expiry import AzureExpiry
from cloudfiles.interfaces.azure.listing import ListRequest
from cloudfiles.interfaces.azure.multipart import BlockUpload, block_size, open_part_writer
from cloudfiles.interfaces.azure.objects import (
    MAX_CRC64_RANGE,
    MAX_PUT,
    REQUEST_CRC64_HEADER,
    AzureContainer,
    BlobBoundedRead,
    BlobHead,
    BlobPartRead,
    BlobRead,
    DirectoryHead,
    head_of_blob,
    put_whole,
)
from cloudfiles.interfaces.azure.paths import is_hierarchical
from cloudfiles.interfaces.azure.presigning import presigned
from cloudfiles.interfaces.azure.protocol import AzureProtocol
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
)
from cloudfiles.interfaces.http_store import HeaderStore, ReadArguments
from cloudfiles.interfaces.multipart import put_content, put_in_order
from cloudfiles.interfaces.part_writer import PartWriter
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.paths import ExtractedPath
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.client import Client, client_for
from cloudfiles.transport.request import Origin
from cloudfiles.types import Content, ListPage, StoreOptions, WriteOptions

_HIERARCHICAL: Mapping[Kind[Capability], Callable[[AzureContainer], Capability]] = {
    Directories: AzureDirectories, AccessControl: AzureAccessControl, Appending: AzureAppending, Expiry: AzureExpiry}

_LOOPBACK = ("127.", "localhost", "::1")


class AzureInterface(HeaderStore):
    """The blobs of one container below one path.

    Credentials are looked up on first use, because this may involve azure-identity's chain. Listings have the order of
    the service: "alphabetical", which is not that of UTF-8 ("startFrom" of version 2026-02-06 does not specify it
    either), and by directory in a hierarchical namespace. So `lists_in_key_order` is False: no code relies on an order.
    """

    traits = StoreTraits(lists_cheaply=True, delete_batch=MAX_BATCH, metadata_prefix="x-ms-meta-")
    suffix_ranges: ClassVar[bool] = False
    read_request = BlobRead
    part_request = BlobPartRead
    bounded_read_request = BlobBoundedRead

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime, *,
                 client: Client | None = None, provider: AzureProvider | None = None) -> None:
        if options.request_payer is not None:
            raise InvalidInputError("request_payer= is supported for S3 and Google Cloud Storage only: on Azure, the "
                                    "account pays")
        self._name = location.bucket or ""
        path = location.path or ""
        self._root = path if not path or path.endswith("/") else path + "/"
        self._url = location.host or options.endpoint
        self._options = options
        self._runtime = runtime
        self._client = client or client_for(runtime, options)
        self._provider = provider or AzureProvider(
            self._name, account_of(self._url), options.secrets, anonymous=options.no_sign_request,
            # A URL may refer to a public container, and contains the account.
            or_anonymous=(location.host or "").startswith("https://"),
            clock=self._client.clock.wall, sleep=runtime.sleep, run_in_thread=runtime.run_in_thread)
        self._container: AzureContainer | None = None

    def _resolve(self) -> AzureContainer:
        """Look up the credentials and the container. Raises MissingCredentialsError, ConfigurationError."""
        account, url = self._provider.location()
        endpoint = find_endpoint(self._name, self._url or url, account)
        credentials = self._provider.get()
        if credentials is not None and credentials.key is None:
            _check_trusted(endpoint, self._url is None or self._url == self._options.endpoint, credentials)
        protocol = AzureProtocol(endpoint, self._provider, self._runtime, self._client.clock.wall)
        self._container = AzureContainer(self._client, self._runtime, protocol, self._root,
                                         f"{endpoint.container_target}/{quote_key(self._root)}", endpoint.origin,
                                         crc64=endpoint.is_azure and integrity.is_available("crc64nvme"))
        protocol.check_bucket_exists = self._container.exists
        return self._container

    @property
    def origin(self) -> Origin | None:
        return None if self._container is None else self._container.origin

    def explain_credentials(self) -> Sequence[tuple[str, str]]:
        return self._provider.explain()

    # ---- reading

    def _read_arguments(self, key: str, start: int | None = None, end: int | None = None) -> ReadArguments:
        container = self._container or self._resolve()
        headers: dict[str, str] = {}
        if container.crc64 and end is not None and end - (start or 0) <= MAX_CRC64_RANGE:
            headers[REQUEST_CRC64_HEADER] = "true"
        return container.origin, container.target(key), headers, container.protocol, key

    def head(self, key: str) -> dict[str, Any] | None:
        headers = self._head(key)
        return None if headers is None else head_of_blob(headers)

    def _head(self, key: str) -> dict[str, str] | None:
        container = self._container or self._resolve()
        headers: dict[str, str] | None = self._client.send(
            BlobHead(container.origin, "HEAD", container.target(key), {}, protocol=container.protocol, path=key))
        return headers

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """See the contract; `start_after` is not supported, because listings are not in key order."""
        container = self._container or self._resolve()
        page: ListPage = self._client.send(ListRequest(container, prefix, flat=flat, token=token, limit=limit))
        return page

    def isdir(self, key: str) -> bool:
        """See the contract. In a hierarchical namespace, a directory may be empty: it is found as a blob."""
        if super().isdir(key):
            return True
        container = self._container or self._resolve()
        name = key.removesuffix("/")
        if not name and not container.root:
            return False  # the container itself
        try:
            target = container.target(name) if name else container.base.removesuffix("/")
        except InvalidPathError:  # not the name of a blob
            return False
        return self._client.send(
            DirectoryHead(container.origin, "HEAD", target, {}, protocol=container.protocol, path=key)) is not None

    # ---- writing

    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        container = self._container or self._resolve()
        return put_content(
            self._runtime, key, content, min(self._options.composite_upload_threshold, MAX_PUT), block_size,
            lambda body: put_whole(container, key, body, options),
            lambda blocks: put_in_order(self._runtime, BlockUpload(container, key, options), key, blocks,
                                        slots=self.part_slots))

    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        return delete_keys(self._container or self._resolve(), keys)

    def check_target(self, key: str) -> None:
        (self._container or self._resolve()).target(key)

    # ---- copying

    def can_copy_from(self, source: Interface) -> bool:
        return isinstance(source, AzureInterface)

    def copy_from(self, source: Interface, source_key: str, key: str, options: CopyOptions) -> CopyResult | None:
        """See the contract. Up to 256 MiB by one synchronous request; larger blobs, or changed attributes, in blocks
        that the service reads itself; by a polled copy if the server does not support this. During a polled copy the
        target is an empty blob."""
        if not isinstance(source, AzureInterface):
            raise UnsupportedOperationError(f"Azure cannot copy from {type(source).__name__}", path=key)
        there, here = source._container or source._resolve(), self._container or self._resolve()
        if there.endpoint.is_azure is not here.endpoint.is_azure:
            raise UnsupportedOperationError("an emulator and Azure cannot copy from each other", path=key)
        headers = source._head(source_key)
        if headers is None:
            return None
        change = options.change and options.change(source.write_options(object_from_headers(headers)))
        return ServerSideCopy(here, key, there, source_key, options).run(change or None, headers)

    def rename_from(self, source: Interface, source_key: str, key: str) -> bool:
        """See the contract: within one container of an account with a hierarchical namespace."""
        if not isinstance(source, AzureInterface):
            return False
        there, here = source._container or source._resolve(), self._container or self._resolve()
        if there.endpoint != here.endpoint or not is_hierarchical(here):
            return False
        AzureDirectories(here.whole()).rename_same_kind(there.root + source_key, here.root + key)
        return True

    def open_writer(self, key: str, size: int, options: WriteOptions,
                    state: Mapping[str, Any] | None = None) -> PartWriter | None:
        """See the contract. `discard_interrupted` does not remove uncommitted blocks: Azure discards them within a
        week, and they cannot be removed without changing the blob."""
        return open_part_writer(self._container or self._resolve(), key, size, options, state)

    def capability(self, kind: Kind[C]) -> C | None:
        """See the contract: those of a hierarchical namespace, if the account has one."""
        container = self._container or self._resolve()
        if kind is Concatenation:
            return cast("C", AzureConcatenation(container, self.part_slots))
        operations = _HIERARCHICAL.get(kind)
        if operations is None or not is_hierarchical(container):
            return None
        return cast("C", operations(container))

    def reason_without(self, kind: Kind[Capability]) -> str:
        if kind not in _HIERARCHICAL:
            return ""
        account = (self._container or self._resolve()).endpoint.account
        return (f"the storage account {account!r} does not have a hierarchical namespace (Data Lake Storage Gen2), "
                "which is required for directories, ACLs, owners, append and atomic rename")

    # ---- presigning

    def presign(self, key: str, expires: float, method: str) -> str:
        """A URL that allows `method` on `key` for `expires` seconds: a service SAS if the account key is known, a user
        delegation SAS (at most 7 days) with a token.

        A PUT has to send the header `x-ms-blob-type: BlockBlob`. Raises InvalidInputError for a method or time that
        cannot be signed, UnsupportedOperationError with a SAS, which cannot be restricted further.
        """
        return presigned(self._container or self._resolve(), key, expires, method)


def _check_trusted(endpoint: Endpoint, configured: bool, credentials: AzureCredentials) -> None:
    """Check whether the server may receive the credentials: a key only signs, but a SAS or a token is sent. Raises
    ConfigurationError.

    configured: the server is specified by `endpoint=` or together with the credentials, not only by a cloudpath.
    """
    origin = endpoint.origin
    if (endpoint.is_azure and origin.scheme == "https") or origin.host.startswith(_LOOPBACK):
        return
    if credentials.token is not None and origin.scheme != "https":
        raise ConfigurationError(f"{origin} is not HTTPS: bearer tokens are not sent over unencrypted connections")
    if not endpoint.is_azure and not configured:
        raise ConfigurationError(f"{origin} is not an Azure endpoint: a SAS or a token is not sent to a server that "
                                 "only the cloudpath names; pass it as endpoint= as well")
