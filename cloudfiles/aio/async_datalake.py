"""`AsyncDataLake`: the async counterpart of `DataLake`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from cloudfiles.datalake import Access, AclChanges, AclEntry, DataLake

Acl = str | Iterable[AclEntry]


class AsyncDataLake:
    """Async counterpart of `DataLake`, returned by `await AsyncCloudFiles.data_lake()`."""

    def __init__(self, lake: DataLake, call: Callable[..., Awaitable[Any]]) -> None:
        """call: as `AsyncCloudFiles._call`."""
        self._lake = lake
        self._call = call

    def __repr__(self) -> str:
        return f"Async{self._lake!r}"

    async def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        """As `DataLake.rename`."""
        await self._call(self._lake.rename, source, target, overwrite=overwrite)

    async def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        """As `DataLake.mkdir`."""
        await self._call(self._lake.mkdir, path, exist_ok=exist_ok)

    async def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """As `DataLake.rmdir`."""
        await self._call(self._lake.rmdir, path, recursive=recursive)

    async def isdir(self, path: str) -> bool:
        """As `DataLake.isdir`."""
        return cast(bool, await self._call(self._lake.isdir, path))

    async def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """As `DataLake.get_acl_status`."""
        return cast(Access, await self._call(self._lake.get_acl_status, path, names=names))

    async def set_acl(self, path: str, acl: Acl, *, recursive: bool = False) -> AclChanges:
        """As `DataLake.set_acl`."""
        return cast(AclChanges, await self._call(self._lake.set_acl, path, acl, recursive=recursive))

    async def modify_acl_entries(self, path: str, acl: Acl, *, recursive: bool = False) -> AclChanges:
        """As `DataLake.modify_acl_entries`."""
        return cast(AclChanges, await self._call(self._lake.modify_acl_entries, path, acl, recursive=recursive))

    async def remove_acl_entries(self, path: str, acl: Acl, *, recursive: bool = False) -> AclChanges:
        """As `DataLake.remove_acl_entries`."""
        return cast(AclChanges, await self._call(self._lake.remove_acl_entries, path, acl, recursive=recursive))

    async def remove_default_acl(self, path: str) -> AclChanges:
        """As `DataLake.remove_default_acl`."""
        return cast(AclChanges, await self._call(self._lake.remove_default_acl, path))

    async def remove_acl(self, path: str) -> AclChanges:
        """As `DataLake.remove_acl`."""
        return cast(AclChanges, await self._call(self._lake.remove_acl, path))

    async def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        """As `DataLake.chown`."""
        await self._call(self._lake.chown, path, owner, group)

    async def chmod(self, path: str, permissions: str | int) -> None:
        """As `DataLake.chmod`."""
        await self._call(self._lake.chmod, path, permissions)

    async def create(self, path: str, *, if_absent: bool = False) -> None:
        """As `DataLake.create`."""
        await self._call(self._lake.create, path, if_absent=if_absent)

    async def append(self, path: str, position: int, content: bytes) -> None:
        """As `DataLake.append`."""
        await self._call(self._lake.append, path, position, content)

    async def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        """As `DataLake.flush`."""
        return cast("str | None", await self._call(self._lake.flush, path, length, close=close))

    async def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        """As `DataLake.set_expiry`."""
        await self._call(self._lake.set_expiry, path, at, after=after)
