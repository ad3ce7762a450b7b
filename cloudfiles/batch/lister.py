"""Listings as iterators: page by page, resumable, and side by side where the store lists in key order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from cloudfiles.batch.batch_workers import check_workers
from cloudfiles.batch.fanout import closing_after_interrupt
from cloudfiles.batch.store import Store
from cloudfiles.interfaces.base import Interface
from cloudfiles.late_imports import importing
from cloudfiles.runtime.cancellation import Cancelled
from cloudfiles.runtime.contract import Runtime
from cloudfiles.types import ListPage

if TYPE_CHECKING:
    from cloudfiles.batch.listing_plan import ListingPlan, PageRequest

CONCURRENT_LISTS = 24
"""Maximum number of pages of one listing that are requested at the same time. Each takes 3 ms of CPU time, so that many
more would not be faster."""

_name, _name_and_size = itemgetter(0), itemgetter(0, 1)


def list_paths(store: Store | Interface, prefix: str = "", flat: bool = False, size: bool = False,
               return_resume_token: bool = False, resume_token: str | None = None) -> Iterator[Any]:
    """See `CloudFiles.list`. Sends no request before the first item is requested."""
    token = resume_token
    for page in list_pages(store, prefix, flat=flat, token=resume_token):
        found: Iterable[tuple[Any, ...]] = _opened(store, prefix, page) if page.prefixes else page.entries
        if not size and not return_resume_token:
            yield from map(_name, found)
        elif not return_resume_token:
            yield from map(_name_and_size, found)
        else:
            yield from ((*fields[:2 if size else 1], token) for fields in found)
        token = page.next_token


def _opened(store: Store | Interface, prefix: str, page: ListPage) -> Iterable[tuple[str, int | None]]:
    """The keys and directories of a page. The directory that `prefix` itself names is replaced by its contents."""
    found: list[tuple[str, int | None]] = [(entry.key, entry.size) for entry in page.entries]
    found += [(directory, None) for directory in page.prefixes]
    found.sort()
    own = prefix + "/" if prefix else None
    return chain.from_iterable(list_paths(store, path, flat=True, size=True) if path == own else ((path, size),)
                               for path, size in found)


def list_pages(store: Store | Interface, prefix: str = "", *, flat: bool = False,
               token: str | None = None) -> Iterator[ListPage]:
    """All pages of a listing in order, from `token` on, with each object once. See `Interface.pages`.

    The first page is requested in the calling thread. If more follow, and the store lists in key order from any key on,
    several are requested at the same time (see `listing_plan`). An interface is listed one page after another.
    """
    here = store.here() if isinstance(store, Store) else store
    traits = here.traits
    if traits.is_local or traits.lists_directories or not traits.lists_in_key_order:
        yield from here.pages(prefix, flat=flat, token=token)
        return
    side_by_side = isinstance(store, Store) and store.first_width > 1
    listing = _listing_plan()(prefix, flat=flat, token=token, is_sequential=not side_by_side)
    while (request := listing.next_request()) is not None:
        listing.arrived(request, _request_page(here, request))
        while (page := listing.take()) is not None:
            yield page
        if side_by_side and not listing.is_finished:
            assert isinstance(store, Store)
            plan, interface = store.plan()
            assert plan.runtime is not None
            yield from _ListingWorkers(listing, interface, plan.runtime).pages(min(plan.width, CONCURRENT_LISTS))
            return


def _request_page(interface: Interface, request: PageRequest) -> ListPage:
    return interface.list_page(request.prefix, flat=request.flat, start_after=request.start_after, token=request.token)


class _ListingWorkers:
    """Workers that request the pages of one listing, and pass them on to the caller in order.

    Only workers use the plan, which they lock; the caller could be interrupted while it holds a lock.
    """

    def __init__(self, listing: ListingPlan, interface: Interface, runtime: Runtime) -> None:
        self._listing = listing
        self._interface = interface
        self._runtime = runtime
        self._worker_group = runtime.worker_group()
        self._lock = threading.Lock()  # never held while waiting
        self._outbox: deque[ListPage] = deque()
        self._waiting: deque[None] = deque()  # one for each worker that waits
        self._error: BaseException | None = None
        self._closed = False  # everything is in the outbox

    def pages(self, width: int) -> Iterator[ListPage]:
        """In the caller: all pages that were not taken yet."""
        worker_group = self._worker_group
        with closing_after_interrupt(self._runtime):
            try:
                worker_group.start(self._work, width)
                while self._await_page():
                    page = self._outbox.popleft()
                    self._wake_worker()
                    yield page
            finally:
                if not worker_group.finished:
                    worker_group.cancel()

    def _await_page(self) -> bool:
        """Wait for the next page; False at the end. Raises the error of the listing after the pages before it."""
        while not self._outbox:
            if self._error is not None:
                raise self._error
            if self._closed:
                return bool(self._outbox)
            check_workers(self._worker_group)
            self._worker_group.wait_caller()
        return True

    def _wake_worker(self) -> None:
        if self._waiting:
            with suppress(IndexError):  # another worker was faster
                self._waiting.popleft()
                self._worker_group.wake_workers(1)

    # ---- in workers

    def _work(self) -> None:
        try:
            while not self._closed and self._error is None:
                request = self._next_request()
                if request is None:
                    self._waiting.append(None)
                    request = self._next_request()  # something may have changed meanwhile
                if request is None:
                    if not self._closed:
                        self._worker_group.wait_worker()
                    continue
                self._wake_worker()  # there may be more to request
                self._answer(request)
        except Cancelled:
            raise
        except BaseException as error:
            self._fail(error)

    def _next_request(self) -> PageRequest | None:
        with self._lock:
            return self._listing.next_request(len(self._outbox))

    def _answer(self, request: PageRequest) -> None:
        try:
            page = _request_page(self._interface, request)
        except Exception as error:
            with self._lock:
                self._listing.failed(request, error)
                self._pass_on()
        else:
            with self._lock:
                self._listing.arrived(request, page)
                self._pass_on()
        self._worker_group.wake_caller()

    def _pass_on(self) -> None:
        try:
            while (page := self._listing.take()) is not None:
                self._outbox.append(page)
        except Exception as error:
            self._fail(error)
        self._closed = self._listing.is_finished

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._worker_group.wake_caller()


@importing
def _listing_plan() -> type[ListingPlan]:
    from cloudfiles.batch.listing_plan import ListingPlan  # imported here because it takes 2 ms

    return ListingPlan
