"""The interface of a client under test, and the description of the server that it gets."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

Items = Sequence[tuple[str, bytes]]

FIRST_OBJECT, FIRST_OBJECT_TLS = "first object", "first object over TLS"
"""Programs that get one object of 4 KiB, with credentials in the environment, and end."""


def own_peak_memory() -> int:
    """Peak resident bytes of this process. (ru_maxrss on Linux includes the parent's memory before exec.)"""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@dataclass
class Tally:
    """Results of a program or trial that measures itself; `cpu` in seconds, if known."""

    operations: int
    seconds: float
    cpu: float = 0.0


@dataclass(frozen=True)
class Target:
    """Where the objects are, for one measurement.

    Keys passed to a client are relative to `prefix`, which does not end with a slash.
    """

    endpoint: str  # 'http://127.0.0.1:PORT', for Azure followed by the account, or '' for local files
    bucket: str
    prefix: str
    directory: str  # the same objects as files, for checking, and for local clients
    scheme: str = "s3"  # the protocol: 's3', 'gs' (the access key is a token) or 'az' (it is the account)
    ca_file: str = ""
    access_key: str = "AKIAEXAMPLE0000"
    secret_key: str = "secretkey1234567"
    region: str = "us-east-1"
    connections: int | None = 20  # requests at a time; None: what the client does by its default settings
    tools: dict[str, str] = field(default_factory=dict)  # name of a program -> its path
    project: str = ""  # the directory that holds our own package
    scratch: str = ""  # an empty directory for programs that read and write files
    seconds: float = 2.0  # for programs that run for a time instead of a number of requests

    @property
    def local(self) -> bool:
        return not self.endpoint

    @property
    def shows_files(self) -> bool:
        """Whether the server's objects are files in `directory`."""
        return self.scheme == "s3"

    @property
    def base_url(self) -> str:
        return f"{self.endpoint}/{self.bucket}/{self.prefix}"

    def key(self, name: str) -> str:
        """The full key of an object, as S3 clients expect it."""
        return f"{self.prefix}/{name}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Client:
    """A client. Verbs that a class does not override are not supported by it."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()  # required modules and programs
    environment: ClassVar[str | None] = None  # must run in this environment of envs.py
    statement: ClassVar[str | None] = None  # the import statement of a script
    starts: ClassVar[Mapping[str, str]] = {}  # other programs whose start is measured; see benchmarks/imports.py
    signs: ClassVar[bool] = True  # signs its requests
    remote: ClassVar[bool] = True
    schemes: ClassVar[frozenset[str]] = frozenset({"s3"})  # protocols that it supports
    server: ClassVar[str | None] = None  # measured against this server instead of that of the workload
    on_disk: ClassVar[bool] = False  # supports local files
    paced: ClassVar[bool] = False  # limit the server to the rate of the workload's own server
    largest_put: ClassVar[int | None] = None  # bytes; larger puts are not measured
    hides: ClassVar[frozenset[str]] = frozenset()  # verbs of the parent class that are not measured again
    note: ClassVar[str] = ""
    width: ClassVar[int | None] = None  # requests at a time by its default settings; None: it finds that itself
    equal: ClassVar[bool] = True  # takes part where all clients have equal settings

    def setup(self, target: Target) -> None:
        """Import the library and create what a script would create once."""
        raise NotImplementedError

    def get(self, keys: Sequence[str]) -> Any:
        raise NotImplementedError

    def get_recorded(self, keys: Sequence[str]) -> Any:
        """`get` with a recording."""
        raise NotImplementedError

    def get_decoded(self, keys: Sequence[str]) -> Any:
        """`get` of objects with a Content-Encoding of gzip, decoded."""
        raise NotImplementedError

    def put(self, items: Items) -> Any:
        raise NotImplementedError

    def exists(self, keys: Sequence[str]) -> Any:
        """True or False for each key, in order."""
        raise NotImplementedError

    def exists_each(self, keys: Sequence[str]) -> Any:
        """`exists` with one request per key; differs only if `exists` would use a listing."""
        return self.exists(keys)

    def size(self, keys: Sequence[str]) -> Any:
        """The size of each key in bytes, in order."""
        raise NotImplementedError

    def list(self) -> Any:
        """The names of all objects under the prefix."""
        raise NotImplementedError

    def delete(self, keys: Sequence[str]) -> Any:
        raise NotImplementedError

    def get_big(self, key: str) -> Any:
        raise NotImplementedError

    def put_big(self, key: str, content: bytes) -> Any:
        raise NotImplementedError

    def stream(self, keys: Iterable[str]) -> Iterable[Any]:
        """Bodies as they arrive, for an iterable of keys."""
        raise NotImplementedError

    def download(self, keys: Sequence[str]) -> Any:
        """Download the objects to `scratch`/fetched, which exists."""
        raise NotImplementedError

    def upload(self, keys: Sequence[str]) -> Any:
        """Upload the files in `scratch`/source."""
        raise NotImplementedError

    def copy_within(self, keys: Sequence[str]) -> Any:
        """Copy objects to keys that start with `copies/`, on the same server."""
        raise NotImplementedError

    def copy_tree(self, keys: Sequence[str]) -> Any:
        """Copy the files in `scratch`/source to `scratch`/fetched."""
        raise NotImplementedError

    def stage(self, items: Items) -> Any:
        """`items` in the form that `put` and `put_big` expect; called before the clock starts."""
        return items

    def bodies(self, result: Any, keys: Sequence[str]) -> Iterable[Any]:
        """The result of `get` as one buffer per key; called after the clock has stopped."""
        yield from result

    def peak_memory(self) -> int:
        """The peak resident size so far, in bytes."""
        return own_peak_memory()

    def cpu_seconds(self) -> float:
        """User and system time so far, of this process and its child processes."""
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    @classmethod
    def offers(cls, verb: str) -> bool:
        return verb not in cls.hides and getattr(cls, verb) is not getattr(Client, verb)


class ThreadedClient(Client):
    """For blocking libraries: one call per key on a thread pool."""

    pool: ThreadPoolExecutor

    def start(self, target: Target) -> None:
        self.pool = ThreadPoolExecutor(target.connections or self.width)

    def each(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return list(self.pool.map(function, items))


class AsyncClient(Client):
    """For asyncio libraries: as many tasks as connections, or by default as items, with one shared iterator."""

    loop: asyncio.AbstractEventLoop
    connections: int | None

    def start(self, target: Target) -> None:
        self.loop = asyncio.new_event_loop()
        self.connections = target.connections or self.width

    def each(self, function: Callable[[Any], Coroutine[Any, Any, Any]], items: Sequence[Any]) -> list[Any]:
        return self.loop.run_until_complete(self._spread(function, items))

    async def _spread(self, function: Callable[[Any], Coroutine[Any, Any, Any]], items: Sequence[Any]) -> list[Any]:
        results: list[Any] = [None] * len(items)
        todo = iter(enumerate(items))

        async def work() -> None:
            for index, item in todo:
                results[index] = await function(item)

        await asyncio.gather(*(work() for _ in range(self.connections or len(items))))
        return results
