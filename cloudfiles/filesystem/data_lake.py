"""The methods of `CloudFileSystem` that file systems such as Data Lake and HDFS have: directories, access, expiry.

With those of fsspec, they are all the methods of azure-datalake-store, with its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.filesystem.errors import (
    exists_already,
    missing,
    not_a_directory,
    not_empty,
    translated,
)
from cloudfiles.filesystem.listings import Info, contents
from cloudfiles.filesystem.removing import Removing
from cloudfiles.interfaces.acl import Access, AclChanges
from cloudfiles.interfaces.capabilities import AccessControl, Expiry


class DataLakeMethods(Removing):
    """Directories, owners, permissions, ACLs, expiry, and concatenation.

    What a store does not have raises UnsupportedOperationError, which names the protocol and the reason.
    """

    # ---- directories

    def mkdir(self, path: Any, create_parents: bool = True, **kwargs: Any) -> None:
        """Create a directory. In object stores a directory exists while there is something in it: nothing is done.

        Raises FileExistsError if there is something at the path, and FileNotFoundError without `create_parents` if
        the directory above does not exist; on stores that have directories.
        """
        name, _, key = self._located(path)
        if not self._has_directories(name):
            return
        if not key or self.exists(name):
            raise exists_already(name)
        if not create_parents and not self.isdir(self._names.parent(name)):
            raise missing(self._names.parent(name))
        self.makedirs(name, exist_ok=True)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Create a directory and those above it. In object stores, nothing is done.

        exist_ok: False raises FileExistsError if the directory exists, on stores that have directories.
        """
        name, cf, key = self._located(path)
        if not key and not exist_ok and self._has_directories(name):
            raise exists_already(name)
        if key and self._has_directories(name):
            with translated(name):
                cf.mkdir(key, exist_ok=exist_ok)
            self._changed([name])

    mkdirs = makedirs

    def rmdir(self, path: Any) -> None:
        """Remove an empty directory. Raises FileNotFoundError, NotADirectoryError, or OSError if it is not empty."""
        name, cf, key = self._located(path)
        if self.isfile(name):
            raise not_a_directory(name)
        if not self.isdir(name):
            raise missing(name)
        if not key or contents(self._place(name), key)[1]:
            raise not_empty(name)
        with translated(name):
            if self._has_directories(name):
                cf.rmdir(key)
            else:
                cf.delete(key + "/")  # an object that marks the directory
        self._changed([name])

    # ---- owners, permissions, ACLs

    def _access(self, path: Any) -> tuple[AccessControl, str]:
        _, cf, key = self._located(path)
        return cf._store.required(AccessControl), key

    def chmod(self, path: Any, mod: str | int) -> None:
        """Set the permissions of owner, group and others of one path: '0750', 0o750 or 'rwxr-x---'."""
        with translated(self._name(path)):
            access, key = self._access(path)
            access.chmod(key, mod)

    def chown(self, path: Any, owner: str | None = None, group: str | None = None) -> None:
        """Set the owner and the owning group of one path; None keeps the current one."""
        with translated(self._name(path)):
            access, key = self._access(path)
            access.chown(key, owner, group)

    def get_acl_status(self, path: Any) -> Access:
        """Owner, group, permissions and ACL of a path."""
        with translated(self._name(path)):
            access, key = self._access(path)
            return access.get_acl_status(key)

    def set_acl(self, path: Any, acl_spec: str, recursive: bool = False, number_of_sub_process: int | None = None
                ) -> AclChanges:
        """Replace the ACL of a path: `[default:]user|group|other:[NAME]:rwx,...`, with user::, group:: and other::.

        number_of_sub_process: accepted and not needed, here and in the other methods.
        """
        with translated(self._name(path)):
            access, key = self._access(path)
            return access.set_acl(key, acl_spec, recursive=recursive)

    def modify_acl_entries(self, path: Any, acl_spec: str, recursive: bool = False,
                           number_of_sub_process: int | None = None) -> AclChanges:
        """Add entries to the ACL of a path, or change the rights of existing ones."""
        with translated(self._name(path)):
            access, key = self._access(path)
            return access.modify_acl_entries(key, acl_spec, recursive=recursive)

    def remove_acl_entries(self, path: Any, acl_spec: str, recursive: bool = False,
                           number_of_sub_process: int | None = None) -> AclChanges:
        """Remove entries of the ACL of a path, given without rights: `[default:]user|group:NAME,...`."""
        with translated(self._name(path)):
            access, key = self._access(path)
            return access.remove_acl_entries(key, acl_spec, recursive=recursive)

    def remove_acl(self, path: Any) -> AclChanges:
        """Remove the ACL of a path, except for the entries of the owner, the owning group and others."""
        with translated(self._name(path)):
            access, key = self._access(path)
            return access.remove_acl(key)

    def remove_default_acl(self, path: Any) -> AclChanges:
        """Remove the default ACL of a directory, which new files and directories in it inherit."""
        with translated(self._name(path)):
            access, key = self._access(path)
            return access.remove_default_acl(key)

    # ---- expiry

    def set_expiry(self, path: Any, expiry_option: str, expire_time: int | None = None) -> None:
        """Have the store delete a file at a time.

        Args:
            expiry_option: 'NeverExpire'; 'RelativeToNow' or 'RelativeToCreationDate', with `expire_time` in
                milliseconds; 'Absolute', with `expire_time` in milliseconds since the epoch.
        """
        name, cf, key = self._located(path)
        seconds = None if expiry_option == "NeverExpire" else _seconds(expiry_option, expire_time)
        with translated(name):
            expiry = cf._store.required(Expiry)
            if expiry_option == "RelativeToNow":
                expiry.set_expiry(key, after=seconds)
            elif expiry_option == "RelativeToCreationDate":
                expiry.set_expiry(key, self.created(name).timestamp() + (seconds or 0))
            else:
                expiry.set_expiry(key, seconds)

    # ---- concatenation

    def concat(self, outfile: Any, filelist: Sequence[Any], delete_source: bool = False) -> None:
        """Concatenate files into one, on the server where the store can.

        Args:
            outfile: the file; if it exists, the others are appended to it. It appears, complete, at the end.
            filelist: existing files, in order.
            delete_source: delete them afterwards, and their directories if there is nothing else in them.
        """
        name, cf, key = self._located(outfile)
        names = [self._name(path) for path in filelist]
        elsewhere = next((each for each in names if self._place(each) != self._place(name)), None)
        if elsewhere is not None:
            raise InvalidInputError(f"concat: {elsewhere!r} is in another bucket than {name!r}")
        keys = [self._place(name).key(each) for each in names]
        try:
            with translated():
                if cf.exists(key) and key not in keys:
                    keys.insert(0, key)
                cf.concat(keys, key, delete_source=delete_source)
        finally:
            self._changed([name, *names])
        for directory in {self._names.parent(each) for each in names} if delete_source else ():
            if directory not in ("", self.root_marker) and self._has_directories(directory) and not self.ls(directory):
                self.rmdir(directory)

    def merge(self, outfile: Any, filelist: Sequence[Any], delete_source: bool = False) -> None:
        """As `concat`."""
        self.concat(outfile, filelist, delete_source)

    # ---- other names, and other parameters, of methods of fsspec

    def connect(self) -> None:
        """Do nothing: connections are opened when they are needed."""

    def access(self, path: Any, invalidate_cache: bool = True) -> bool:
        """As `exists`."""
        return bool(self.exists(path))

    def stat(self, path: Any, **kwargs: Any) -> Info:
        """As `info`."""
        return self.info(path, **kwargs)

    def listdir(self, path: Any = "", detail: bool = True, **kwargs: Any) -> list[Any]:
        """As `ls`."""
        return self.ls(path, detail, **kwargs)

    def remove(self, path: Any, recursive: bool = False) -> None:
        """As `rm`."""
        self.rm(path, recursive)

    def unlink(self, path: Any, recursive: bool = False) -> None:
        """As `rm`."""
        self.rm(path, recursive)

    def df(self, path: Any = "") -> dict[str, int]:
        """What is in a directory and its subdirectories, with the names of WebHDFS: 'fileCount', 'directoryCount', and
        'length', the sum of the sizes in bytes."""
        sizes = self.du(path, total=False)
        everything = self.find(path, withdirs=True)
        return {"fileCount": len(sizes), "directoryCount": len(everything) - len(sizes),
                "length": sum(size or 0 for size in sizes.values())}


def _seconds(expiry_option: str, milliseconds: int | None) -> float:
    if expiry_option not in ("RelativeToNow", "RelativeToCreationDate", "Absolute"):
        raise InvalidInputError("expiry_option: expected 'NeverExpire', 'RelativeToNow', 'RelativeToCreationDate' or "
                                f"'Absolute', got {expiry_option!r}")
    if milliseconds is None or isinstance(milliseconds, bool):
        raise InvalidInputError(f"expire_time: expected milliseconds for {expiry_option}, got {milliseconds!r}")
    return milliseconds / 1000
