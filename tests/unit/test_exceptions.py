"""The errors: what builtin errors they are besides, and that all of them survive a pickle."""

from __future__ import annotations

import errno
import json
import pickle
import re
from pathlib import Path

import pytest

import cloudfiles
from cloudfiles import CloudFile, CloudFiles, exceptions
from cloudfiles.bucket.bucket import NoSuchFileError
from cloudfiles.bucket.local_names import NoSuchDirectoryError
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    FileSystemError,
    InvalidJSONError,
    InvalidPathError,
    LocalFileError,
    LocalPathError,
    MissingObjectError,
    UnsupportedOperationError,
)
from cloudfiles.testing import Rule, S3Server, Status

CLASSES = [value for value in vars(exceptions).values()
           if isinstance(value, type) and issubclass(value, CloudFilesError)]


def test_errors_of_two_builtin_kinds_survive_a_pickle() -> None:
    for kind in (LocalPathError, NoSuchDirectoryError, NoSuchFileError):
        copy = pickle.loads(pickle.dumps(kind("what happened", path="key")))
        assert (type(copy), str(copy), isinstance(copy, OSError), isinstance(copy, ValueError)) == (
            kind, "key: what happened", True, True)


def test_the_number_of_a_local_error_survives_a_pickle() -> None:
    copy = pickle.loads(pickle.dumps(FileSystemError("full", errno=errno.ENOSPC)))
    assert (copy.errno, copy.strerror) == (errno.ENOSPC, "No space left on device")


def test_only_errors_of_files_and_of_the_clock_are_os_errors() -> None:
    others = {kind.__name__ for kind in CLASSES if issubclass(kind, OSError) and not issubclass(kind, LocalFileError)}
    assert others == {"AccessDeniedError", "ExistingObjectError", "MissingObjectError", "RequestTimeoutError",
                      "DeadlineError"}
    assert not issubclass(AuthorizationError, OSError)


def test_json_errors(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    cf.put("a", b'{\n  "a": nothing}')
    with pytest.raises(json.JSONDecodeError) as caught:
        cf.get_json("a")
    assert (caught.value.lineno, caught.value.colno > 1, caught.value.doc) == (2, True, "")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, InvalidJSONError)
    assert (copy.lineno, copy.path) == (2, "a")
    with pytest.raises(json.decoder.JSONDecodeError):
        CloudFile(f"file://{tmp_path}/a").get_json()


def test_local_files_that_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As whom one is allowed everything, too."""
    cf = CloudFiles(f"file://{tmp_path}")
    cf.put("a", b"")

    def refuse(*args: object, **options: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "a"))

    monkeypatch.setattr("os.open", refuse)
    for call in (lambda: cf.get("a"), lambda: cf.get(["a", "b"]), lambda: cf.put("a", b"x")):
        with pytest.raises(PermissionError, match="Permission denied") as caught:
            call()
        assert isinstance(caught.value, AuthorizationError)
        assert isinstance(caught.value, LocalFileError)
        assert caught.value.errno == errno.EACCES
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), PermissionError)


def test_a_name_that_something_else_has(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    cf.put("a/b", b"")
    with pytest.raises(OSError, match="a directory has this name") as caught:
        cf.put("a", b"")
    assert isinstance(caught.value, InvalidPathError)
    with pytest.raises(OSError, match="is not a directory"):
        cf.put("a/b/c", b"")


def test_what_a_protocol_cannot_do(fault_server: S3Server) -> None:
    with pytest.raises(NotImplementedError) as caught:
        list(CloudFiles(f"{fault_server.url}/x/").list())
    assert isinstance(caught.value, UnsupportedOperationError)
    with pytest.raises(NotImplementedError):
        CloudFiles("mem://bucket/x").presign("key")


def test_a_clouds_refusal_is_no_error_of_the_system(fault_server: S3Server) -> None:
    fault_server.script(Rule(Status(403)))
    with pytest.raises(AuthorizationError) as caught:
        CloudFiles(f"{fault_server.url}/x/").get("key")
    assert not isinstance(caught.value, OSError)


class Failing:
    """A file that can be read once only, or not at all."""

    def __init__(self, error: Exception) -> None:
        self.reads = 0
        self._error = error

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return 3_000_000 if whence == 2 else offset

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        raise self._error


@pytest.mark.parametrize("error", [FileSystemError("the disk is broken", errno=errno.EIO), OSError(errno.EIO, "broken"),
                                   MissingObjectError("it is gone")], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", ["s3", "http"])
def test_a_file_that_fails_is_not_taken_for_the_connection(fault_server: S3Server, error: Exception, protocol: str,
                                                           green: bool) -> None:
    fault_server.configure(read_only=False)
    cf = (CloudFiles("s3://bucket/x/", green, endpoint=fault_server.url, secrets=fault_server.secrets)
          if protocol == "s3" else CloudFiles(f"{fault_server.url}/x/", green))
    file = Failing(error)
    with pytest.raises(CloudFilesError, match=r"broken|gone") as caught:
        cf.put("key", file)
    assert isinstance(caught.value, LocalFileError | MissingObjectError)
    assert len(caught.value.attempts) <= 1
    assert file.reads == 1


def test_pip_commands_with_an_extra_are_quoted() -> None:
    """Unquoted, zsh takes the brackets for a pattern."""
    package = Path(cloudfiles.__file__).parent
    unquoted = [str(path) for path in package.rglob("*.py")
                if re.search(r"pip install [\w-]+\[", path.read_text(encoding="utf-8"))]
    assert unquoted == []
