"""The internals of the library that tests replace: figures too large for a test, clocks, and calls that are to fail.

Tests reach through the public API, with options and with arguments. What has neither is named here, and here only: who
moves or renames it changes one line, and no test.
"""

from __future__ import annotations

from typing import Any, Protocol

import pytest

_HTTP = "cloudfiles.transport"
_STORES = "cloudfiles.interfaces"
_TRANSFER = "cloudfiles.transfer"

INTERNALS: dict[str, tuple[str, ...]] = {
    # ---- sizes, in bytes
    "small_bytes": (f"{_TRANSFER}.copier.SMALL_BYTES",),
    "s3_part": (f"{_STORES}.s3.multipart.MIN_PART",),
    "s3_copy_part": (f"{_STORES}.s3.copy._PART",),
    "s3_copy_at_once": (f"{_STORES}.s3.interface.S3Interface.copy_threshold",),
    "gs_part": (f"{_STORES}.gs.composite.PART",),
    "s3_concat_part": (f"{_STORES}.s3.concatenation.MIN_PART",),
    "azure_part": (f"{_STORES}.azure.multipart.MIN_BLOCK",),
    "azure_copy_part": (f"{_STORES}.azure.copy.BLOCK",),
    "azure_copy_at_once": (f"{_STORES}.azure.copy.MAX_AT_ONCE",),
    "file_part": (f"{_STORES}.file.file_part_writer.PART_BYTES",),
    "file_read": (f"{_STORES}.file.file_io._ONE_READ",),
    "file_piece": (f"{_STORES}.file.file_io._PIECE",),
    "parallel_read_bytes": (f"{_STORES}.object_read.PARALLEL_READ_BYTES",),
    "parallel_read_part": (f"{_STORES}.parallel_read._PART",),
    "parallel_read_remaining": (f"{_STORES}.throughput_monitor.MIN_REMAINING_BYTES",),
    "throughput_warm_up": (f"{_STORES}.throughput_monitor._WARM_UP_BYTES",),
    "chunked_download_remaining": ("cloudfiles.files.chunked_download.MIN_REMAINING_BYTES",),
    "chunked_download_in_memory": ("cloudfiles.files.chunked_download._IN_MEMORY",),
    "chunked_download_fast": ("cloudfiles.files.chunked_download.FAST_BYTES_PER_SECOND",),
    "unannounced_bytes": (f"{_HTTP}.response_reader.UNANNOUNCED_BYTES",),
    "response_bytes": (f"{_HTTP}.request.ANSWER_BYTES",),
    # ---- counts
    "parts_memory": (f"{_HTTP}.concurrency.adaptive_width.PARTS_MEMORY",),
    "fewest_parts": (f"{_HTTP}.concurrency.adaptive_width._MIN_PARTS",),
    "most_recorded": (f"{_TRANSFER}.result.MOST_RECORDED",),
    "journal_batch": (f"{_TRANSFER}.journal.journal._BATCH",),
    "failures_in_a_row": (f"{_TRANSFER}.journal.worker._IN_A_ROW",),
    "empty_pages": (f"{_STORES}.paging.MAX_EMPTY_PAGES",),
    "http_page": (f"{_STORES}.http.listing.PAGE_ENTRIES",),
    "caddy_limit": (f"{_STORES}.http.listing.CADDY_LIMIT",),
    "fanout_probe": ("cloudfiles.batch.collect_batch._PROBE",),
    # ---- seconds and clocks
    "journal_pause": (f"{_TRANSFER}.journal.worker._PAUSE",),
    "saving_seconds": (f"{_TRANSFER}.partial_upload._SECONDS_PER_PART",),
    "grace_seconds": ("cloudfiles.runtime.cancellation.GRACE_SECONDS",),
    "file_grace_seconds": ("cloudfiles.runtime.cancellation.FILE_GRACE_SECONDS",),
    "fanout_slow": ("cloudfiles.batch.collect_batch._SLOW",),
    "throughput_clock": (f"{_STORES}.throughput_monitor.monotonic",),
    "worker_idle_seconds": ("cloudfiles.workers.worker_process.IDLE_SECONDS",),
    # ---- the network
    "retry_policy": (f"{_HTTP}.client.RetryPolicy",),
    "retry_delay": ("cloudfiles.retry.RetryPolicy.delay",),
    "retry_allows": ("cloudfiles.retry.RetryPolicy.allows",),
    "bucket_regions": (f"{_STORES}.s3.endpoint._regions",),
    "limiters": (f"{_HTTP}.client._limiters",),
    "descriptor_limit": (f"{_HTTP}.concurrency.adaptive_width.descriptor_limit",),
    "known_secrets": ("cloudfiles.secret_references._known",),
    "live_secrets": ("cloudfiles.secret_references._live",),
    # ---- local files
    "pread": (f"{_STORES}.file.file_io._pread",),
    "pwrite": (f"{_STORES}.file.file_part_writer._pwrite",),
    "write_file": (f"{_STORES}.file.file_io._write",),
    "fill_file": (f"{_STORES}.file.file_io._fill",),
    "create_file": (f"{_STORES}.file.file_io.create_new", f"{_STORES}.file.file_part_writer.create_new",
                    f"{_STORES}.file.copy.create_new"),
    "write_new": (f"{_STORES}.file.objects.write_new",),
    "link_new": (f"{_STORES}.file.objects.link_new",),
    "rate_limit": (f"{_TRANSFER}.rate_limit.RateLimit.take",),
    "lock_state": (f"{_TRANSFER}.resume_state.try_lock",),
    "proc": ("cloudfiles.monitoring.sampling._PROC",),
    "block_devices": ("cloudfiles.monitoring.sampling._BLOCK_DEVICES",),
}
"""Where each is, by the name under which tests know it."""

PART = 1 << 20
"""The size of the parts of a large object, and of the largest object that has none, with `internals(**SMALL_PARTS)`:
an eighth of what it is outside of tests."""

SMALL_PARTS = {"small_bytes": PART, "s3_part": PART, "gs_part": PART, "azure_part": PART, "file_part": PART}


class Replace(Protocol):
    """`internals(gs_part=1 << 18)` replaces it until the test ends."""

    def __call__(self, **values: Any) -> None: ...


def replace(patch: pytest.MonkeyPatch, **values: Any) -> None:
    """Replace internals until `patch` is undone."""
    for name, value in values.items():
        for path in INTERNALS[name]:
            patch.setattr(path, value)


@pytest.fixture
def internals(monkeypatch: pytest.MonkeyPatch) -> Replace:
    return lambda **values: replace(monkeypatch, **values)
