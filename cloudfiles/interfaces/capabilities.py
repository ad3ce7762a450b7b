"""What some stores can do beyond objects: directories, access control, expiry, times, appending, concatenating.

`Interface.capability` returns an object for one of these classes, or None. Paths are keys, without a '/' at the end; ''
is the cloudpath itself. Methods block and are called concurrently, like those of the interface. They raise

- MissingObjectError for a path that does not exist;
- PreconditionFailedError for one that exists and should not, or that is a file instead of a directory, or vice versa;
- DirectoryNotEmptyError for a directory that has to be empty;
- UnsupportedOperationError, before anything is done, for what this store cannot do;
- AuthorizationError and others as everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO, ClassVar, TypeAlias, TypeVar

from cloudfiles.exceptions import InvalidInputError, PreconditionFailedError, UnsupportedOperationError
from cloudfiles.types import StoredObject, WriteOptions
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from cloudfiles.interfaces.acl import Access, AclChanges, AclEntry


class Capability(ABC):
    """The base of all kinds.

    Attributes:
        subject: what a store without it does not have, for messages.
    """

    subject: ClassVar[str]


C = TypeVar("C", bound=Capability)

Kind: TypeAlias = Callable[..., C]
"""One of the classes below. They are abstract, so that mypy does not accept them as a `type[C]`."""


class Directories(Capability):
    """Directories that exist on their own, with or without contents, and are renamed in one atomic step."""

    subject = "directories of their own"

    @abstractmethod
    def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        """Create a directory and its parents. Raises PreconditionFailedError if a file has this name or, without
        `exist_ok`, if the directory exists."""

    @abstractmethod
    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """Remove a directory and, with `recursive`, everything in it. Otherwise raises DirectoryNotEmptyError if it is
        not empty. Raises PreconditionFailedError for a file."""

    @abstractmethod
    def isdir(self, path: str) -> bool:
        """Whether the directory exists, even if it is empty."""

    @abstractmethod
    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        """Move a file, or a directory with everything in it, in one atomic step. Creates the parents of the target.

        overwrite: replace an existing file by a file, or an empty directory by a directory; otherwise
        PreconditionFailedError is raised for what exists. DirectoryNotEmptyError is raised for a directory that is not
        empty, in any case. The target is never a directory to move into.
        """


class AccessControl(Capability):
    """Owners, permissions and, where the store has them, ACLs."""

    subject = "owners, permissions and ACLs"

    @abstractmethod
    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """Owner, group, permissions and ACL. names: return principal names instead of object ids, if known."""

    @abstractmethod
    def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        """Set the owner and the owning group; None keeps the current one."""

    @abstractmethod
    def chmod(self, path: str, permissions: str | int) -> None:
        """Set the permissions of owner, group and others: 'rwxr-x---', '0750' or 0o750 (`acl.parse_permissions`)."""

    def set_acl(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Replace the whole ACL, which must include user::, group:: and other::."""
        raise self._no_acl(path)

    def modify_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Add entries, or change the rights of existing ones; other entries are kept."""
        raise self._no_acl(path)

    def remove_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Remove entries, given without rights: `user:NAME` or `default:group:NAME`."""
        raise self._no_acl(path)

    def remove_default_acl(self, path: str) -> AclChanges:
        """Remove the default ACL, which new children of a directory inherit."""
        raise self._no_acl(path)

    def remove_acl(self, path: str) -> AclChanges:
        """Remove all entries except those of the owner, the owning group and others."""
        raise self._no_acl(path)

    def _no_acl(self, path: str) -> UnsupportedOperationError:
        return UnsupportedOperationError("this store has owners and permissions (chown, chmod), but no ACLs", path=path)


class Expiry(Capability):
    """Files that the store deletes at a given time."""

    subject = "expiry times of single objects"

    @abstractmethod
    def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        """Delete a file `at` a time (seconds since the epoch), or `after` a number of seconds; or never."""


class Times(Capability):
    """Modification times that can be set."""

    subject = "modification times that can be set"

    @abstractmethod
    def set_times(self, path: str, modified: float | None = None, accessed: float | None = None) -> None:
        """Set the times of a file or directory, in seconds since the epoch; None keeps the current one."""


class Appending(Capability):
    """Files that grow, and shrink, in place."""

    subject = "appending to existing objects"

    @abstractmethod
    def create(self, path: str, *, if_absent: bool = False) -> None:
        """Create an empty file to append to. With `if_absent`, raises PreconditionFailedError if it exists."""

    @abstractmethod
    def append(self, path: str, position: int, content: bytes) -> None:
        """Append bytes at `position`, which is the size of the file, or of what was appended so far.

        Nothing is appended twice, also if a request was repeated. Readers may see the bytes now, or only after `flush`.
        Raises PreconditionFailedError, at the latest in `flush`, if the file has another size.
        """

    @abstractmethod
    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        """Commit everything that was appended to the file, which then has `length` bytes. Returns the ETag if known.

        close: nothing more will be appended for now. If bytes are missing, a CloudFilesError is raised.
        """

    def truncate(self, path: str, size: int) -> None:
        """Keep the first `size` bytes of a file. Raises InvalidInputError if it is smaller."""
        raise UnsupportedOperationError("this store cannot truncate files", path=path)


def not_at_end(path: str, size: int, position: int) -> PreconditionFailedError:
    """The error for an `append` at a position that is not the end of the file."""
    return PreconditionFailedError(f"the file has {size} bytes, and cannot be appended to at {position}", path=path)


def check_length(path: str, size: int | None, length: int) -> None:
    """Raise PreconditionFailedError if a file does not have the length that `flush` expects."""
    if size != length:
        raise PreconditionFailedError(f"the file has {size} bytes, not {length}", path=path)


def check_truncation(path: str, present: int, size: int) -> None:
    """Raise InvalidInputError if a file of the size `present` cannot be truncated to `size`."""
    if not 0 <= size <= present:
        raise InvalidInputError(f"size: expected 0 to {present}, the size of the file, got {size!r}", path=path)


class ConcatSource(NamedTuple):
    """An object to concatenate, as it was found: `stored` has its encoding, size, and ETag or generation, which are
    required of the object when its bytes are used."""

    key: str
    stored: StoredObject

    @property
    def size(self) -> int:
        return self.stored.size or 0


class Concatenation(Capability):
    """Objects made of others by the server, without passing their bytes through a client."""

    subject = "concatenating objects on the server"

    needs_validators: ClassVar[bool] = True
    """Whether all sources need a generation or a strong ETag; others are rewritten."""

    @abstractmethod
    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        """Concatenate the stored bytes of objects into `key`, which may be one of them. Returns the ETag if known.

        The object appears completely or not at all; sources are kept, but the store may consume them if
        `delete_sources`; the caller deletes those that remain. The conditions of `options` hold for `key`.

        Raises:
            UnsupportedOperationError: not these objects; nothing was done, and the caller rewrites them.
            ObjectChangedError: a source is not the object that was found.
        """

    def extend(self, source: ConcatSource, key: str, content: BinaryIO, options: WriteOptions) -> str | None:
        """Store the stored bytes of an object, followed by the rest of a file of unknown size, as `key`, which may be
        that object. Otherwise as `concat`. UnsupportedOperationError is raised before anything is read from the file.
        """
        raise UnsupportedOperationError("this store cannot continue an object by itself", path=key)
