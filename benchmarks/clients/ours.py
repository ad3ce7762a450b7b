"""This package: with default settings, and on OS threads."""

from __future__ import annotations

import functools
import multiprocessing
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.clients.base import FIRST_OBJECT, FIRST_OBJECT_TLS, AsyncClient, Client, Items, Target


def place(target: Target) -> dict[str, Any]:
    """The arguments of `CloudFiles` for a target."""
    if target.local:
        return {"cloudpath": f"file://{target.directory}"}
    if target.scheme == "gs":
        return {"cloudpath": f"gs://{target.base_url}", "secrets": {"token": target.access_key}}
    if target.scheme == "az":
        return {"cloudpath": f"az://{target.bucket}/{target.prefix}", "endpoint": target.endpoint,
                "secrets": {"AZURE_STORAGE_ACCOUNT": target.access_key, "AZURE_STORAGE_KEY": target.secret_key}}
    return {"cloudpath": f"s3://{target.base_url}", "secrets": {
        "AWS_ACCESS_KEY_ID": target.access_key, "AWS_SECRET_ACCESS_KEY": target.secret_key,
        "AWS_DEFAULT_REGION": target.region}}


class Ours(Client):
    """`CloudFiles(...)` with default settings: green threads, and OS threads for transfers of large objects."""

    name = "cloudfiles"
    needs: ClassVar[tuple[str, ...]] = ()
    statement: ClassVar[str | None] = "import cloudfiles"
    starts: ClassVar[Mapping[str, str]] = {
        "from cloudfiles import CloudFiles": "from cloudfiles import CloudFiles",
        FIRST_OBJECT: "from cloudfiles import CloudFiles; CloudFiles('s3://{endpoint}/{bucket}/').get('{key}')",
        FIRST_OBJECT_TLS: "from cloudfiles import CloudFiles; CloudFiles('s3://{tls_endpoint}/{bucket}/').get('{key}')",
        "cloudfiles --help": "import sys; sys.argv[1:] = ['--help']; from cloudfiles.cli import main; main()",
    }
    on_disk = True
    schemes: ClassVar[frozenset[str]] = frozenset({"s3", "gs", "az"})
    settings: ClassVar[Mapping[str, Any]] = {}  # arguments of `CloudFiles`

    def setup(self, target: Target) -> None:
        sys.path.insert(0, target.project)
        from cloudfiles import CloudFiles  # type: ignore[attr-defined, unused-ignore]

        self.scratch = target.scratch
        self.folder = CloudFiles
        equal = {"num_threads": target.connections} if target.connections else {}
        self.store = CloudFiles(**equal | self.settings, **place(target))

    def get(self, keys: Sequence[str]) -> Any:
        return self.store.get(keys, raw=True)

    def get_recorded(self, keys: Sequence[str]) -> Any:
        results, _ = self.store.get(keys, raw=True, return_recording=True)
        return results

    def get_decoded(self, keys: Sequence[str]) -> Any:
        return self.store.get(keys)

    def bodies(self, result: Any, keys: Sequence[str]) -> Iterable[Any]:
        return (record["content"] for record in result)

    def put(self, items: Items) -> None:
        self.store.puts(items)

    def exists(self, keys: Sequence[str]) -> list[bool]:
        found = self.store.exists(keys)
        return [found[key] for key in keys]

    def exists_each(self, keys: Sequence[str]) -> list[bool]:
        found = self.store.head(keys)  # `exists` would use listings
        return [found[key] is not None for key in keys]

    def size(self, keys: Sequence[str]) -> list[int | None]:
        found = self.store.size(keys)
        return [found[key] for key in keys]

    def list(self) -> list[str]:
        return list(self.store.list())

    def delete(self, keys: Sequence[str]) -> None:
        self.store.delete(keys)

    def get_big(self, key: str) -> Any:
        return self.store.get(key, raw=True)

    def put_big(self, key: str, content: bytes) -> None:
        self.store.put(key, content)

    def download(self, keys: Sequence[str]) -> None:
        self.store.transfer_to(f"file://{self.scratch}/fetched", keys)

    def upload(self, keys: Sequence[str]) -> None:
        self.store.transfer_from(f"file://{self.scratch}/source", keys)

    def copy_within(self, keys: Sequence[str]) -> None:
        self.store.transfer_to(self.store, [{"path": key, "dest_path": f"copies/{key}"} for key in keys])

    def copy_tree(self, keys: Sequence[str]) -> None:
        self.folder(f"file://{self.scratch}/source").transfer_to(f"file://{self.scratch}/fetched", keys)

    def stream(self, keys: Iterable[str]) -> Iterable[Any]:
        return (record["content"] for record in self.store.stream(keys))


class Threads(Ours):
    """`CloudFiles(...)` with `green=False`."""

    name = "cloudfiles, threads"
    statement = None
    settings: ClassVar[Mapping[str, Any]] = {"green": False}
    hides = frozenset({"get_recorded"})


def _fixed(number: int) -> type[Ours]:
    """The same with a number of threads, which takes part only where the others have their default settings."""
    return type(f"Fixed{number}", (Ours,), {
        "name": f"{Ours.name}, num_threads={number}", "statement": None, "width": number, "equal": False,
        "settings": {"num_threads": number}})


FIXED = tuple(_fixed(number) for number in (1, 20, 64, 128, 256, 512))


class Unhedged(Ours):
    """Without second requests for those that stall."""

    name = "cloudfiles, hedge=False"
    statement = None
    equal = False
    settings: ClassVar[Mapping[str, Any]] = {"hedge": False}


class Generator(Ours):
    """`exists` and `size` of a generator."""

    name = "cloudfiles, generator"
    statement = None
    equal = False

    def exists(self, keys: Sequence[str]) -> list[bool]:
        found = self.store.exists(iter(keys))
        return [found[key] for key in keys]

    def size(self, keys: Sequence[str]) -> list[int | None]:
        found = self.store.size(iter(keys))
        return [found[key] for key in keys]


class Processes(Ours):
    """Four processes that share the keys; they are started before the clock."""

    name = "cloudfiles, 4 processes"
    statement = None
    equal = False
    note = "CPU time and memory of the parent only"

    def setup(self, target: Target) -> None:
        sys.path.insert(0, target.project)  # the processes find this module by it
        spawn = multiprocessing.get_context("spawn")
        ready = spawn.Barrier(PROCESSES + 1)
        self.pool = spawn.Pool(PROCESSES, _open_store, (target, ready))
        ready.wait()

    def get(self, keys: Sequence[str]) -> Any:
        found = self.pool.map(_get, [keys[start::PROCESSES] for start in range(PROCESSES)], chunksize=1)
        return [found[n % PROCESSES][n // PROCESSES] for n in range(len(keys))]


class Gather(AsyncClient):
    """`asyncio.gather` of all single calls of `AsyncCloudFiles` at once."""

    name = "cloudfiles, asyncio.gather"
    equal = False

    def setup(self, target: Target) -> None:
        sys.path.insert(0, target.project)
        from cloudfiles import AsyncCloudFiles  # type: ignore[attr-defined, unused-ignore]

        self.store = AsyncCloudFiles(**place(target))
        self.start(target)

    def get(self, keys: Sequence[str]) -> Any:
        return self.each(functools.partial(self.store.get, raw=True), keys)

    async def _put(self, item: tuple[str, bytes]) -> None:
        await self.store.put(*item)

    def put(self, items: Items) -> None:
        self.each(self._put, items)


PROCESSES = 4
_store: Any = None  # of a process of Processes


def _open_store(target: Target, ready: Any) -> None:
    global _store
    client = Ours()
    client.setup(target)
    _store = client.store
    ready.wait()


def _get(keys: Sequence[str]) -> Any:
    return _store.get(keys, raw=True)


class OnS3(Ours):
    """The same on S3, as the reference in the tables of other protocols."""

    name = "cloudfiles, s3"
    statement = None
    schemes = frozenset({"gs", "az"})
    server = "relayed"
    paced = True
    on_disk = False
    hides = frozenset({"copy_tree"})
    note = "rclone serve s3 behind the same nginx, at the emulator's pace"


class OnFastS3(OnS3):
    """The same without a limit of the rate."""

    name = "cloudfiles, fast s3"
    paced = False
    note = "rclone serve s3 behind the same nginx"
