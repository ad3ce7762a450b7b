"""What a client under test has to offer, and what it is told about the server."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

Items = Sequence[tuple[str, bytes]]


def own_peak_memory() -> int:
    """Peak resident bytes of this process, without what a parent had before exec (Linux counts that in ru_maxrss)."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@dataclass
class Tally:
    """What a program, or a trial, that counts for itself has to say; `cpu` in seconds, where it knows."""

    operations: int
    seconds: float
    cpu: float = 0.0


@dataclass(frozen=True)
class Target:
    """Where the objects are, for one measurement.

    Keys handed to a client are relative to `prefix`, which ends in no slash.
    """

    endpoint: str  # 'http://127.0.0.1:PORT', of Azure with the account behind it, or '' for local files
    bucket: str
    prefix: str
    directory: str  # the same objects as files, for checking, and for local clients
    scheme: str = "s3"  # the protocol: 's3', 'gs' (the access key is a token) or 'az' (it is the account)
    ca_file: str = ""
    access_key: str = "AKIAEXAMPLE0000"
    secret_key: str = "secretkey1234567"
    region: str = "us-east-1"
    connections: int = 20
    tools: dict[str, str] = field(default_factory=dict)  # name of a program -> its path
    project: str = ""  # the directory that holds our own package
    scratch: str = ""  # an empty directory for programs that read and write files
    seconds: float = 2.0  # for programs that run for a time and not for a number of requests

    @property
    def local(self) -> bool:
        return not self.endpoint

    @property
    def shows_files(self) -> bool:
        """Whether the server's objects lie in `directory`."""
        return self.scheme == "s3"

    @property
    def base_url(self) -> str:
        return f"{self.endpoint}/{self.bucket}/{self.prefix}"

    def key(self, name: str) -> str:
        """The whole key of an object, as an S3 client wants it."""
        return f"{self.prefix}/{name}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Client:
    """One alternative. A verb that a class does not override is one that it does not offer."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()  # modules and programs that must be there
    environment: ClassVar[str | None] = None  # must run in this environment of envs.py, never in ours
    statement: ClassVar[str | None] = None  # what a script has to import
    signs: ClassVar[bool] = True  # can talk to a server that verifies signatures
    remote: ClassVar[bool] = True
    schemes: ClassVar[frozenset[str]] = frozenset({"s3"})  # protocols that it speaks
    server: ClassVar[str | None] = None  # is measured against this server, whichever one the workload names
    on_disk: ClassVar[bool] = False  # works on local files too
    paced: ClassVar[bool] = False  # that server answers no faster than the one that the workload names
    largest_put: ClassVar[int | None] = None  # bytes; beyond it the client is not the measure that it should be
    hides: ClassVar[frozenset[str]] = frozenset()  # verbs that a parent class stands for in the tables
    note: ClassVar[str] = ""

    def setup(self, target: Target) -> None:
        """Import what is needed and open what a script would open once."""
        raise NotImplementedError

    def get(self, keys: Sequence[str]) -> Any:
        raise NotImplementedError

    def get_recorded(self, keys: Sequence[str]) -> Any:
        """`get` with a recording of when each object came."""
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
        """`exists` by a request a key: another call only where `exists` would list."""
        return self.exists(keys)

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
        """Bodies as they come, of keys that come as they are asked for."""
        raise NotImplementedError

    def download(self, keys: Sequence[str]) -> Any:
        """The objects as files in `scratch`/fetched, which is there."""
        raise NotImplementedError

    def upload(self, keys: Sequence[str]) -> Any:
        """The files of `scratch`/source as objects."""
        raise NotImplementedError

    def copy_within(self, keys: Sequence[str]) -> Any:
        """Objects to keys that begin with `copies/`, at the same server."""
        raise NotImplementedError

    def copy_tree(self, keys: Sequence[str]) -> Any:
        """The files of `scratch`/source to `scratch`/fetched."""
        raise NotImplementedError

    def stage(self, items: Items) -> Any:
        """`items` as `put` and `put_big` want them; called before the clock starts."""
        return items

    def bodies(self, result: Any, keys: Sequence[str]) -> Iterable[Any]:
        """What `get` returned, as one buffer for each key; called when the clock has stopped."""
        yield from result

    def peak_memory(self) -> int:
        """Bytes: the highest resident size so far of the process that does the work."""
        return own_peak_memory()

    def cpu_seconds(self) -> float:
        """User and system time so far, of this process and of the programs it has waited for."""
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    @classmethod
    def offers(cls, verb: str) -> bool:
        return verb not in cls.hides and getattr(cls, verb) is not getattr(Client, verb)


class ThreadedClient(Client):
    """For libraries that block: one call a key on a pool of threads."""

    pool: ThreadPoolExecutor

    def start(self, target: Target) -> None:
        self.pool = ThreadPoolExecutor(target.connections)

    def each(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return list(self.pool.map(function, items))


class AsyncClient(Client):
    """For asyncio libraries: as many tasks as connections, drawing from one iterator."""

    loop: asyncio.AbstractEventLoop
    connections: int

    def start(self, target: Target) -> None:
        self.loop = asyncio.new_event_loop()
        self.connections = target.connections

    def each(self, function: Callable[[Any], Coroutine[Any, Any, Any]], items: Sequence[Any]) -> list[Any]:
        return self.loop.run_until_complete(self._spread(function, items))

    async def _spread(self, function: Callable[[Any], Coroutine[Any, Any, Any]], items: Sequence[Any]) -> list[Any]:
        results: list[Any] = [None] * len(items)
        todo = iter(enumerate(items))

        async def work() -> None:
            for index, item in todo:
                results[index] = await function(item)

        await asyncio.gather(*(work() for _ in range(self.connections)))
        return results
