"""Renames in one step, and what replaces them on servers that cannot replace a file.

Source: Hadoop documentation, "WebHDFS REST API" (Rename a File/Directory).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudfiles import logger
from cloudfiles.exceptions import CloudFilesError, InvalidPathError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.base import object_changed
from cloudfiles.interfaces.file.temporaries import temporary_name
from cloudfiles.interfaces.webhdfs.requests import Operation
from cloudfiles.runtime.cancellation import shielded
from cloudfiles.transport.request import Response

if TYPE_CHECKING:
    from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace


def rename(namespace: Namespace, source: str, target: str, key: str, moved: FileStatus, *, overwrite: bool) -> None:
    """Rename a file or directory, atomically.

    moved: its status, by which the result of a request whose response was lost is recognized.
    Raises PreconditionFailedError if the target exists and `overwrite` is False.

    On servers that do not support the option to replace a file (HttpFS), the target is first renamed to a temporary
    name: for a moment, it is missing for others. It is renamed back if that fails.
    """
    request = Operation(namespace.protocol, namespace.dialect, "PUT", "RENAME", source, key,
                        {"destination": target, "renameoptions": "OVERWRITE" if overwrite else "NONE"})
    try:
        response: Response = namespace.client.send(request)
    except (ServerError, PreconditionFailedError):
        # An earlier attempt may have succeeded, with its response lost: a file keeps its inode when it is moved.
        if request.may_have_acted and _is_at(namespace, target, key, moved):
            return
        raise
    if b"boolean" not in response.content:
        return
    _finish_legacy_rename(namespace, source, target, key, moved, overwrite=overwrite)


def _finish_legacy_rename(namespace: Namespace, source: str, target: str, key: str, moved: FileStatus, *,
                          overwrite: bool) -> None:
    """After a RENAME by a server that ignores `renameoptions`: it never replaces a file, moves into a directory, and
    reports only whether it has done something."""
    if _is_at(namespace, target, key, moved):
        return
    present = namespace.status(target, key)
    if present is not None and present.is_directory:
        inside = f"{target}/{source.rpartition('/')[2]}"
        if _is_at(namespace, inside, key, moved):
            namespace.run("PUT", "RENAME", inside, key, {"destination": source})
        if not moved.is_directory:
            raise InvalidPathError("a directory has this name", path=key)
    if present is not None and not overwrite:
        raise PreconditionFailedError("the target already exists", path=key)
    aside = None if present is None else f"{target.rpartition('/')[0]}/{temporary_name()}"
    try:
        if aside is not None:
            namespace.run("PUT", "RENAME", target, key, {"destination": aside})
        namespace.run("PUT", "RENAME", source, key, {"destination": target})
        if not _is_at(namespace, target, key, moved):
            other = namespace.status(target, key)
            if other is not None and (present is None or other.etag != present.etag):
                raise object_changed(key)
            raise ServerError("the server has not renamed it, and does not say why", path=key)
    except BaseException:
        if aside is not None:
            with shielded():
                _clean_up(namespace, aside, target, key, restore=True)
        raise
    if aside is not None:
        _clean_up(namespace, aside, target, key, restore=False)


def _clean_up(namespace: Namespace, aside: str, target: str, key: str, *, restore: bool) -> None:
    """Remove what was moved out of the way; with `restore`, move it back if nothing has taken its place."""
    try:
        if restore:
            namespace.run("PUT", "RENAME", aside, key, {"destination": target})
        if namespace.status(target, key) is not None:
            namespace.remove(aside, key)
        elif namespace.status(aside, key) is not None:
            logger.warning("%s: could not be moved back to %s", aside, target)
    except CloudFilesError as error:
        logger.warning("%s, moved from %s, may remain: %s", aside, target, error)


def _is_at(namespace: Namespace, path: str, key: str, status: FileStatus) -> bool:
    found = namespace.status(path, key)
    return found is not None and found.etag == status.etag
