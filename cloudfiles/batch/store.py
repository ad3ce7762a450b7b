"""A cloudpath with its options, and an interface for each runtime that uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from cloudfiles import secret_references
from cloudfiles.batch.fanout import OnError, Plan
from cloudfiles.exceptions import UnsupportedOperationError, redact
from cloudfiles.interfaces import interface_class
from cloudfiles.interfaces.base import Interface
from cloudfiles.paths import ExtractedPath, extract, to_https_protocol
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.hub_engine import blocking_runtime, current_runtime
from cloudfiles.secret_references import SecretReference
from cloudfiles.transport.budget import Budget
from cloudfiles.transport.concurrency.adaptive_width import FIRST_WIDTH, WorkerShare, max_width
from cloudfiles.types import StoreOptions

if TYPE_CHECKING:
    from cloudfiles.interfaces.capabilities import C, Kind
    from cloudfiles.transport.request import Origin


class Store:
    """One cloudpath, how to access it, and how to run batches on it.

    Attributes:
        cloudpath: as the user wrote it.
        green: green threads (True), OS threads (False), or the faster ones for the protocol (None).
        width: workers of a batch; 0 for the thread of the caller, None for a number that is found while it runs.
        lacks_secret: the cloudpath contained a secret that is not known in this process, so that it cannot be used.
    """

    def __init__(self, cloudpath: str, options: StoreOptions | None = None, green: bool | None = None,
                 width: int | None = None, use_https: bool = False, lacks_secret: bool = False) -> None:
        self.cloudpath = cloudpath
        self.options = options or StoreOptions()
        self.green = green
        self.width = width
        self.use_https = use_https
        self.lacks_secret = lacks_secret
        self._interfaces: dict[Runtime, Interface] = {}
        secret_references.register_path(cloudpath, self)
        self.location: ExtractedPath = _location(cloudpath, use_https)
        self._class = interface_class(self.location.protocol)
        self._know_secrets()
        if self.use_https and self._class.traits.reads_public_buckets:
            self.options = self.options.replace(no_sign_request=True)
        if self.options.lock_dir is not None or self.options.locking:
            self.here()  # raises an error for an unwritable lock directory now, not at the first write

    def replace(self, *, options: StoreOptions | None = None, width: int | None = None) -> Store:
        """A copy with other options, or another width."""
        return Store(self.cloudpath, options or self.options, self.green, self.width if width is None else width,
                     self.use_https, self.lacks_secret)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and self._identity() == other._identity()

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def _identity(self) -> tuple[Any, ...]:
        return self.cloudpath, self.options, self.green, self.width, self.use_https, self.location

    @property
    def is_local(self) -> bool:
        """Whether operations take microseconds and do not use the network."""
        return self._class.traits.is_local

    @property
    def overlaps_chunks(self) -> bool:
        """Whether a worker process begins with a chunk before it has finished the one before.

        Not if the number of requests in progress was given, which is that of each chunk.
        """
        return self.width is None and not self.is_local

    @property
    def first_width(self) -> int:
        """The number of workers with which a batch starts."""
        return FIRST_WIDTH if self.width is None else self.width

    def at(self, cloudpath: str) -> Store:
        """Another cloudpath with the same options; with the same secrets only if it is on the same service."""
        location = _location(cloudpath, self.use_https)
        mine = self.options
        options = StoreOptions(composite_upload_threshold=mine.composite_upload_threshold, tls=mine.tls,
                               connect_timeout=mine.connect_timeout, read_timeout=mine.read_timeout,
                               encoding_suffixes=mine.encoding_suffixes,
                               min_throughput=mine.min_throughput,
                               follow_external_symlinks=mine.follow_external_symlinks, hedge=mine.hedge,
                               max_concurrency=mine.max_concurrency)
        if (location.protocol, location.host) == (self.location.protocol, self.location.host):
            options = mine
        return Store(cloudpath, options, self.green, self.width, self.use_https)

    @property
    def shows_encodings_as_suffixes(self) -> bool:
        """Whether the local file `x.gz` is the key `x`."""
        return self._class.traits.folds_suffixes and self.options.encoding_suffixes is not False

    def by_exact_names(self) -> Store:
        """The same store with the exact names of local files as keys, unless `encoding_suffixes` was given."""
        return self.with_default_suffixes(False)

    def with_default_suffixes(self, encoding_suffixes: bool) -> Store:
        """The same store with this `encoding_suffixes`, unless one was given, or it does not apply."""
        if self.options.encoding_suffixes is not None or not self._class.traits.folds_suffixes:
            return self
        return self.replace(options=self.options.replace(encoding_suffixes=encoding_suffixes))

    def interface(self, runtime: Runtime) -> Interface:
        """The interface for work done by `runtime`."""
        interface = self._interfaces.get(runtime)
        if interface is None:
            self._know_secrets()
            if not self._class.traits.is_local:
                secret_references.check_known(self.options.secrets)
            if self.lacks_secret:
                raise secret_references.lacks_secret()
            interface = self._interfaces[runtime] = self._class(self.location, self.options, runtime)
            interface.part_slots = None if self.width is None else Budget(max(1, self.width))
        return interface

    def _know_secrets(self) -> None:
        """Replace a reference to secrets by the secrets, if they are known in this process."""
        if isinstance(self.options.secrets, SecretReference):
            self.options = self.options.replace(secrets=secret_references.resolve(self.options.secrets))
        self._live_secrets = secret_references.register(self.options.secrets)

    @property
    def keeps_live_objects(self) -> bool:
        """Whether Python objects can be stored as they are."""
        return self._class.traits.keeps_live_objects

    def here(self) -> Interface:
        """The interface for a single call in this thread."""
        return self.interface(blocking_runtime())

    def required(self, kind: Kind[C]) -> C:
        """The operations of one kind, for a single call in this thread. Raises UnsupportedOperationError if the store
        does not have them."""
        here = self.here()
        found = here.capability(kind)
        if found is None:
            reason, subject = here.reason_without(kind), cast("type[C]", kind).subject
            raise UnsupportedOperationError(f"{self.location.protocol}:// does not support {subject}"
                                            + (f": {reason}" if reason else ""), store=self.cloudpath)
        return found

    def plan(self, on_error: OnError | None = None, report: Callable[[int], Any] | None = None,
             count: int | None = None) -> tuple[Plan, Interface]:
        """How a batch on this store runs, and the interface that its workers use.

        count: the number of items, if it is known.
        """
        if self.width == 0:
            return Plan(None, 1, on_error, report), self.here()
        is_local = self._class.traits.is_local
        is_single = self.green is None and count is not None and count <= 1
        runtime = blocking_runtime() if is_local or is_single else current_runtime(green=self.green is not False)
        interface = self.interface(runtime)
        if is_local or (is_single and runtime.name == "threads"):
            # Local operations gain nothing from greenlets, and would block their hub. A single request takes less time
            # than to start a hub.
            return Plan(runtime, self.first_width, on_error, report, probe=True), interface
        share = None
        if self.width is None:
            share = share_of(interface, runtime=runtime, maximum=self.options.max_concurrency)
        return Plan(runtime, self.first_width, on_error, report, share=share), interface

    def share_of_calls(self, runtime: Runtime) -> WorkerShare:
        """The share of single calls, made by many workers of `runtime` at a time, in the workers of the server."""

        def origins() -> tuple[Origin, ...]:
            interface = self._interfaces.get(runtime)  # None before the first call
            return () if interface is None or interface.origin is None else (interface.origin,)

        return WorkerShare(origins, runtime, max_width(self.options.max_concurrency))

    # ---- pickling

    def __getstate__(self) -> dict[str, Any]:
        options = self.options.replace(secrets=secret_references.reference(self.options.secrets))
        return {"cloudpath": redact(self.cloudpath), "options": options, "green": self.green,
                "width": self.width, "use_https": self.use_https,
                "whole": secret_references.path_reference(self.cloudpath), "lacks_secret": self.lacks_secret}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        reference, lacks = state.pop("whole", None), state.pop("lacks_secret", False)
        whole = None if reference is None else secret_references.resolve_path(reference)
        Store.__init__(self, **{**state, "cloudpath": whole or state["cloudpath"]},
                       lacks_secret=lacks or (reference is not None and whole is None))

    def __repr__(self) -> str:
        return f"Store({redact(self.cloudpath)!r})"


def share_of(*interfaces: Interface, runtime: Runtime, maximum: int | None = None) -> Callable[[], WorkerShare]:
    """A function that returns the share of a batch in the workers for the servers of these interfaces.

    maximum: the maximum number of workers of the batch.
    """

    def origins() -> tuple[Origin, ...]:
        return tuple(dict.fromkeys(each.origin for each in interfaces if each.origin is not None))

    return lambda: WorkerShare(origins, runtime, max_width(maximum))


def _location(cloudpath: str, use_https: bool) -> ExtractedPath:
    """The location of `cloudpath`. use_https: its public HTTPS address, unless the protocol reads public buckets."""
    location = extract(cloudpath)
    if not use_https or interface_class(location.protocol).traits.reads_public_buckets:
        return location
    return extract(to_https_protocol(cloudpath))
