"""`webhdfs://` on a real Hadoop: users, permissions, checksums of several blocks, and blocks that are concatenated."""

from __future__ import annotations

import os
import uuid

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, MD5IntegrityError
from cloudfiles.interfaces.webhdfs.interface import WebHdfsInterface
from cloudfiles.interfaces.webhdfs.objects import TemporaryFile
from cloudfiles.types import WriteOptions
from tests.servers.hadoop import HadoopServer

pytestmark = pytest.mark.full

MIB = 1 << 20


@pytest.fixture
def place(hadoop: HadoopServer) -> str:
    return f"{hadoop.authority}/{uuid.uuid4().hex}"


def files_of(cf: CloudFiles) -> WebHdfsInterface:
    interface = cf._store.here()
    assert isinstance(interface, WebHdfsInterface)
    return interface


def write_in_blocks(cf: CloudFiles, key: str, content: bytes, block: int = MIB) -> None:
    temporary = TemporaryFile(files_of(cf)._files, key)
    temporary.publish(temporary.write(content, {"blocksize": str(block)}), WriteOptions())


def test_permissions(hadoop: HadoopServer, place: str) -> None:
    mine, theirs = (CloudFiles(f"webhdfs://{user}@{place}/") for user in (hadoop.user, "somebody"))
    mine.put("dir/key", b"secret")
    mine.data_lake().chmod("dir", 0o700)
    for verb in (theirs.get, theirs.exists, theirs.size, theirs.delete):
        with pytest.raises(AuthorizationError, match="Permission denied"):
            verb("dir/key")
    with pytest.raises(AuthorizationError):
        theirs.put("dir/new", b"1")
    with pytest.raises(AuthorizationError):
        list(theirs.list())
    assert mine.get("dir/key") == b"secret"
    mine.data_lake().chmod("dir", 0o755)
    mine.data_lake().chmod("dir/key", 0o600)
    with pytest.raises(AuthorizationError):
        theirs.get("dir/key")
    mine.data_lake().modify_acl_entries("dir/key", "user:somebody:r--")
    assert theirs.get("dir/key") == b"secret"
    assert theirs.get("dir/key/below") is None  # what HDFS says about this is not a missing permission


def test_on_behalf_of_somebody(hadoop: HadoopServer, place: str) -> None:
    CloudFiles(f"webhdfs://{hadoop.user}@{place}/").mkdir("")
    lake = CloudFiles(f"webhdfs://{hadoop.user}@{place}/").data_lake()
    lake.chmod("", 0o777)
    CloudFiles(f"webhdfs://{place}/", secrets={"user": hadoop.user, "doas": "alice"}).put("key", b"1")
    assert lake.get_acl_status("key").owner == "alice"


@pytest.mark.parametrize("size", [MIB, MIB + 1, 2 * MIB, 3 * MIB + 700, 4 * MIB - 1])
def test_checksums_of_several_blocks(hadoop: HadoopServer, place: str, size: int) -> None:
    cf = CloudFiles(f"webhdfs://{hadoop.user}@{place}/")
    content = os.urandom(size)
    write_in_blocks(cf, "key", content)
    assert cf.get("key") == content
    files = files_of(cf)._files
    stored = files.checksum(files.path("key"), "key")
    assert stored is not None
    with pytest.raises(MD5IntegrityError):
        stored.verify(bytes(16), "key")


def test_blocks_are_moved(hadoop: HadoopServer, place: str) -> None:
    """Hadoop 2 concatenates files whose blocks are full, in one directory."""
    cf = CloudFiles(f"webhdfs://{hadoop.user}@{place}/")
    contents = [os.urandom(size) for size in (2 * MIB, MIB, 1000)]
    for number, content in enumerate(contents):
        write_in_blocks(cf, f"{number}", content)
    number_of_first = files_of(cf)._files.required("0").file_id
    cf.concat(["0", "1", "2"], "dir/whole", delete_source=True)
    assert cf.get("dir/whole") == b"".join(contents)
    assert list(cf.list()) == ["dir/whole"]
    assert files_of(cf)._files.required("dir/whole").file_id == number_of_first


def test_large_transfers(hadoop: HadoopServer, place: str, green: bool) -> None:
    content = os.urandom(40 * MIB)
    store = CloudFiles(f"mem://hadoop-{green}/")
    store.put("large", content)
    cf = CloudFiles(f"webhdfs://{hadoop.user}@{place}/", green=green)
    store.transfer_to(cf.cloudpath, paths=["large"])
    assert cf.get("large") == content
    cf.transfer_to(f"mem://hadoop-back-{green}/")
    assert CloudFiles(f"mem://hadoop-back-{green}/").get("large") == content
