"""The workloads: one line each."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import data
from benchmarks.clients.base import Client
from benchmarks.clients.ours import FIXED
from benchmarks.emulators import EMULATORS
from benchmarks.far_store import PROFILES
from benchmarks.trials import STREAMED
from benchmarks.verbs import method

KIB, MIB = 1024, 1024 * 1024
FAR_SECONDS = 3.0  # of a batch on a far store, for clients whose rate does not depend on its length
SLOW = 0.02  # seconds that a request takes the slower ones, whatever the latency
OURS, OTHERS = ("cloudfiles",), ("obstore, 20 threads", "boto3, 10 threads", "s3fs", "cloud-files 6.4.3, threads")
GATHER, PROGRAMS = "obstore, asyncio.gather", ("s5cmd", "rclone")
OUR_GATHER = "cloudfiles, asyncio.gather"
WIDTHS = tuple(client.name for client in FIXED if client.width != 1)
ONE_BY_ONE = "cloudfiles, num_threads=1"


@dataclass(frozen=True)
class Workload:
    """One verb on one kind of object against one server."""

    name: str
    title: str
    verb: str
    server: str  # 'plain', 'tls', 'delayed', 'signed', 'disk', 'gs', 'az'
    size: int  # bytes of an object
    count: int  # operations at most
    quick: int  # the same with --quick
    unit: str = "requests/s"  # or 'MB/s'
    writes: bool = False  # the objects are the client's own, so none are laid out before
    clients: tuple[str, ...] = ()  # those that take part; (): all that suit

    @property
    def scheme(self) -> str:
        return self.server if self.server in EMULATORS else "s3"

    @property
    def far(self) -> bool:
        """On a far store: default settings, and the first batch of a process is measured, without a warm-up."""
        return self.server in PROFILES

    @property
    def listed(self) -> bool:
        """On the far store's bucket of keys without contents."""
        return self.far and self.verb in ("exists", "size", "list")

    @property
    def grouped(self) -> bool:
        return self.name in ("get-md5", "get-crc32")

    @property
    def dataset(self) -> str:
        """The prefix of the objects that are read; workloads with the same objects share one."""
        if self.server in EMULATORS:
            return "emulated"
        if self.verb in ("exists", "exists_sparse", "list"):
            return "listing"
        return self.name if self.grouped or self.verb == "get_decoded" else f"get-{self.size}"

    def content(self, key: str) -> bytes:
        """What is stored under a key."""
        return data.zipped_document(key, self.size) if self.verb == "get_decoded" else data.body(key, self.size)

    def operations(self, quick: bool) -> int:
        return self.quick if quick else self.count

    def batch(self, client: type[Client], quick: bool) -> int:
        """The number of operations for a client. A fixed width reaches its rate at once, so a part of them will do."""
        most = self.operations(quick)
        if self.far and self.verb == "list" and client.name not in OURS:
            return most // 10  # lists page after page
        if not self.far or self.listed or client.width is None:
            return most
        latency = PROFILES[self.server].latency
        if client.name not in WIDTHS:
            latency = max(latency, SLOW)
        return min(most, max(500, int(FAR_SECONDS * client.width / latency))) if latency else most

    def keys(self, quick: bool) -> list[str]:
        """The objects to lay out."""
        if self.writes or self.listed:
            return []
        count = STREAMED if self.verb == "stream" else self.operations(quick)
        return data.grouped(count) if self.grouped else data.names(count)

    def suits(self, client: type[Client]) -> bool:
        """Whether the client offers the verb, and can talk to the server."""
        if not client.offers(method(self.verb)) or (client.name not in self.clients if self.clients
                                                    else not client.equal):
            return False
        if self.verb == "copy_tree":
            return True
        if self.writes and client.largest_put is not None and self.size > client.largest_put:
            return False
        if self.server == "disk":
            return client.on_disk
        return client.remote and self.scheme in client.schemes and (client.signs or self.server != "signed")


LATENCIES = (0, 5, 20, 50, 100)  # milliseconds
ANYWHERE = (*OURS, OUR_GATHER, *OTHERS, GATHER)
GETTING = {0: (*ANYWHERE, WIDTHS[0]), 20: (*ANYWHERE, *WIDTHS), 50: (*ANYWHERE, *WIDTHS[1:])}  # with fixed widths
FAR: tuple[Workload, ...] = (
    *(Workload(f"far-get-{latency}", f"GET 4 KiB at {latency} ms, default settings", "get", f"far-{latency}", 4 * KIB,
               5000, 5000, clients=GETTING.get(latency, ANYWHERE)) for latency in LATENCIES),
    *(Workload(f"far-put-{latency}", f"PUT 4 KiB at {latency} ms, default settings", "put", f"far-{latency}", 4 * KIB,
               5000, 5000, writes=True, clients=GETTING[latency]) for latency in GETTING),
    Workload("far-down-20", "4 KiB objects to files at 20 ms, default settings", "download", "far-20", 4 * KIB, 5000,
             5000, unit="files/s", clients=(*OURS, *PROGRAMS, OTHERS[-1])),
    Workload("far-up-20", "4 KiB objects from files at 20 ms, default settings", "upload", "far-20", 4 * KIB, 5000,
             5000, unit="files/s", writes=True, clients=(*OURS, *PROGRAMS, OTHERS[-1])),
    Workload("far-get-narrow", "GET 4 KiB at 20 ms through 50 Mbit/s, default settings", "get", "far-narrow", 4 * KIB,
             5000, 5000, clients=(*OURS, OUR_GATHER, *WIDTHS[:2], OTHERS[0], GATHER)),
    Workload("far-put-narrow", "PUT 4 KiB at 20 ms through 50 Mbit/s, default settings", "put", "far-narrow", 4 * KIB,
             5000, 5000, writes=True, clients=(*OURS, OUR_GATHER, *WIDTHS[:2], OTHERS[0], GATHER)),
    Workload("far-get-throttled", "GET 4 KiB at 20 ms, 503 above 1 000 requests/s, default settings", "get",
             "far-throttled", 4 * KIB, 10_000, 10_000,
             clients=(*OURS, OUR_GATHER, "cloudfiles, 4 processes", OTHERS[-1])),
    Workload("far-get-stalls", "GET 4 KiB at 20 ms, one in 200 stalls for 5 s, default settings", "get", "far-stalls",
             4 * KIB, 5000, 5000,
             clients=(*OURS, "cloudfiles, threads", "cloudfiles, hedge=False", WIDTHS[3], GATHER)),
    Workload("far-exists", "exists, 100 000 keys, 100 ms a page, default settings", "exists", "far-listing-100", 0,
             100_000, 100_000, unit="keys/s", clients=(*OURS, "cloudfiles, generator")),
    Workload("far-size", "size of 100 000 objects, 100 ms a page, default settings", "size", "far-listing-100", 0,
             100_000, 100_000, unit="keys/s", clients=(*OURS, "cloudfiles, generator")),
    Workload("far-list", "list 1 000 000 keys, 50 ms a page, default settings", "list", "far-listing-50", 0,
             1_000_000, 1_000_000, unit="keys/s", clients=(*OURS, ONE_BY_ONE, *OTHERS[:3])),
)

WORKLOADS: tuple[Workload, ...] = (
    *FAR,
    Workload("get-4k", "GET 4 KiB", "get", "plain", 4 * KIB, 14000, 10000),
    Workload("get-recorded", "GET 4 KiB, without and with a recording in turn", "get_recorded", "plain", 4 * KIB, 14000,
             10000),
    Workload("get-64k", "GET 64 KiB", "get", "plain", 64 * KIB, 5000, 3000),
    Workload("get-md5", "GET 64 KiB, server sends an md5 ETag", "get", "plain", 64 * KIB, 5000, 3000),
    Workload("get-crc32", "GET 64 KiB, server sends a CRC-32", "get", "plain", 64 * KIB, 5000, 3000),
    Workload("get-1m", "GET 1 MiB", "get", "plain", MIB, 500, 300, unit="MB/s"),
    Workload("put-4k", "PUT 4 KiB", "put", "plain", 4 * KIB, 20000, 10000, writes=True),
    Workload("put-64k", "PUT 64 KiB", "put", "plain", 64 * KIB, 5000, 3000, writes=True),
    Workload("put-1m", "PUT 1 MiB", "put", "plain", MIB, 500, 300, unit="MB/s", writes=True),
    Workload("get-256m", "GET one 256 MiB object", "get_big", "plain", 256 * MIB, 1, 1, unit="MB/s"),
    Workload("put-256m", "PUT one 256 MiB object (rclone serve s3)", "put_big", "signed", 256 * MIB, 1, 1, unit="MB/s",
             writes=True),
    Workload("get-tls", "GET 4 KiB over TLS", "get", "tls", 4 * KIB, 14000, 10000),
    Workload("get-delayed", "GET 4 KiB at 20 ms latency", "get", "delayed", 4 * KIB, 2000, 1000),
    Workload("get-signed", "GET 4 KiB, signatures verified (rclone serve s3)", "get", "signed", 4 * KIB, 10000, 5000),
    Workload("get-gzip", "GET 64 KiB of JSON stored as gzip, decoded", "get_decoded", "plain", 64 * KIB, 5000, 3000),
    Workload("exists-dense", "exists, every key under a prefix (rclone serve s3)", "exists", "signed", 16, 10000, 10000,
             unit="keys/s"),
    Workload("exists-sparse", "exists, one key in 50 and as many absent ones (rclone serve s3)", "exists_sparse",
             "signed", 16, 10000, 10000, unit="keys/s"),
    Workload("list", "list 10 000 keys (rclone serve s3)", "list", "signed", 16, 10000, 10000, unit="keys/s"),
    Workload("delete", "delete (rclone serve s3)", "delete", "signed", 1, 5000, 2000, unit="keys/s", writes=True),
    *(workload for scheme, cloud in (("gs", "Cloud Storage"), ("az", "Azure")) for workload in (
        Workload(f"{scheme}-get", f"{cloud}: GET 4 KiB", "get", scheme, 4 * KIB, 5000, 2000),
        Workload(f"{scheme}-put", f"{cloud}: PUT 4 KiB", "put", scheme, 4 * KIB, 5000, 2000, writes=True),
        Workload(f"{scheme}-exists", f"{cloud}: exists, a request a key", "exists_each", scheme, 4 * KIB, 5000, 2000),
        Workload(f"{scheme}-list", f"{cloud}: list all keys", "list", scheme, 4 * KIB, 5000, 2000, unit="keys/s"))),
    Workload("file-get", "local files, get 4 KiB", "get", "disk", 4 * KIB, 20000, 10000, unit="files/s"),
    Workload("file-put", "local files, put 4 KiB", "put", "disk", 4 * KIB, 20000, 10000, unit="files/s", writes=True),
    Workload("stream-10k", "stream of a generator, 10 000 keys", "stream", "plain", 256, 10_000, 10_000),
    Workload("stream-1m", "stream of a generator, up to 1 000 000 keys", "stream", "plain", 256, 1_000_000,
             100_000),
    Workload("transfer-down-4k", "5 000 x 4 KiB to files", "download", "plain", 4 * KIB, 5000, 5000, unit="files/s"),
    Workload("transfer-up-4k", "5 000 x 4 KiB from files", "upload", "plain", 4 * KIB, 5000, 5000, unit="files/s",
             writes=True),
    Workload("transfer-down-1m", "500 x 1 MiB to files", "download", "plain", MIB, 500, 500, unit="MB/s"),
    Workload("transfer-up-1m", "500 x 1 MiB from files", "upload", "plain", MIB, 500, 500, unit="MB/s", writes=True),
    Workload("transfer-down-1g", "one 1 GiB object to a file", "download", "plain", 1024 * MIB, 1, 1, unit="MB/s"),
    Workload("transfer-up-1g", "one 1 GiB object from a file (rclone serve s3)", "upload", "signed", 1024 * MIB, 1, 1,
             unit="MB/s", writes=True),
    Workload("transfer-within", "2 000 x 4 KiB copied inside S3 (rclone serve s3)", "copy_within", "signed", 4 * KIB,
             2000, 2000, unit="files/s", writes=True),
    Workload("transfer-tree", "5 000 x 4 KiB from one directory to another", "copy_tree", "disk", 4 * KIB, 5000, 5000,
             unit="files/s", writes=True),
)
