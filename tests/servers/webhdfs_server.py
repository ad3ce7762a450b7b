"""A scripted WebHDFS server in a process of its own: newer Hadoop, HttpFS and gateways, and faults on request.

    with WebHdfsServer() as server:
        server.configure(locations_in_documents=True)
        server.script(Rule(ResetInBody(), query=DATA_NODE))

The NameNode is at `server.authority` (127.0.0.1), the DataNode at the same port of localhost, another origin. A rule
tells their requests apart by the query: those to the DataNode contain DATA_NODE, right behind the operation. Written
from the Hadoop documentation, "WebHDFS REST API", and what Hadoop 2.7.3 answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from cloudfiles.testing import S3Server
from cloudfiles.testing.http_messages import ServerRequest, ServerResponse, http_date
from cloudfiles.testing.server_app import ServerApp
from tests.servers.webhdfs_tree import HdfsError, Inode, Tree, missing

DATA_NODE = "namenoderpcaddress=nn"
API = "/webhdfs/v1"
_WITH_CONTENT = frozenset({"CREATE", "APPEND", "OPEN", "GETFILECHECKSUM"})


@dataclass(frozen=True)
class WebHdfsSettings:
    """How the server behaves when nothing is scripted.

    Attributes:
        base: the path before that of the files.
        locations_in_documents: instead of redirects to write, 200 with the URL in JSON (`noredirect=true`).
        data_node: the authority to which it redirects; None for its own port of localhost.
        httpfs: redirects to itself, reports no inodes, and does not know `renameoptions`.
        parameter: a text that every query to the NameNode must contain, such as `user.name=me`.
        authorization: the Authorization header that every request to the NameNode must have.
        standby: hosts at which the NameNode is not active.
        acls: whether ACLs are enabled.
        recoveries: how often the old size is reported after a TRUNCATE, whose answer is then false.
        decodes_twice: the DataNode decodes the path twice, as that of Hadoop 2.
    """

    base: str = API
    locations_in_documents: bool = False
    data_node: str | None = None
    httpfs: bool = False
    parameter: str = ""
    authorization: str | None = None
    standby: frozenset[str] = frozenset()
    acls: bool = True
    recoveries: int = 0
    decodes_twice: bool = False


class WebHdfsService:
    """A NameNode and a DataNode."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.recovering: dict[str, tuple[int, int]] = {}  # by path: looks that are left, and the new size
        self.settings = WebHdfsSettings()

    def date_header(self) -> tuple[str, str]:
        return "Date", http_date(int(time.time()))

    def locate(self, request: ServerRequest) -> tuple[str, str]:
        """Which of the nodes, and the path."""
        return ("data" if DATA_NODE in request.raw_query else "name"), request.path.removeprefix(self.settings.base)

    def respond(self, request: ServerRequest) -> ServerResponse:
        node, path = self.locate(request)
        try:
            if not request.path.startswith(self.settings.base):
                return ServerResponse(404, (("Content-Type", "text/html"),), b"<html><body>NOT_FOUND</body></html>")
            if node == "name":
                self._authenticate(request)
            op = request.query.get("op", "")
            if op in _WITH_CONTENT and node == "name" and request.query.get("data") != "true":
                answer = self._redirect(request, op, path)
            else:
                answer = self._execute(request, op, path.rstrip("/") or "/", node)
        except HdfsError as error:
            answer = _document(error.document, error.status)
        return replace(answer, headers=(*answer.headers, self.date_header()))

    def _authenticate(self, request: ServerRequest) -> None:
        settings = self.settings
        host = (request.header("host") or "").partition(":")[0]
        if host in settings.standby:
            raise HdfsError(403, "StandbyException", "Operation category READ is not supported in state standby")
        if settings.parameter not in request.raw_query.split("&") and settings.parameter:
            raise HdfsError(403, "InvalidToken", "the token is not valid")
        if settings.authorization not in (None, request.header("authorization")):
            raise HdfsError(401, "AuthenticationException", "Authentication required")

    def _redirect(self, request: ServerRequest, op: str, path: str) -> ServerResponse:
        inode = self.tree.get(path)
        if op in ("OPEN", "APPEND", "GETFILECHECKSUM") and inode is None:
            raise missing(path)
        if op == "OPEN" and inode is not None and inode.content is not None:
            offset = int(request.query.get("offset", "0"))
            if offset >= len(inode.content) > 0:
                raise HdfsError(403, "IOException", f"Offset={offset} out of the range [0, {len(inode.content)})")
        port = (request.header("host") or "").rpartition(":")[2]
        rest = request.raw_query.partition("&")[2]
        if self.settings.httpfs:
            host, query = f"127.0.0.1:{port}", f"op={op}&data=true&{rest}"
        else:
            host, query = self.settings.data_node or f"localhost:{port}", f"op={op}&{DATA_NODE}&{rest}"
        base = f"http://{host}{self.settings.base}"
        if self.settings.locations_in_documents and op != "OPEN":
            named = "".join(quote(letter, safe="/+") if letter.isascii() else letter for letter in path)
            return _document({"Location": f"{base}{named}?{query}"})
        location = f"{base}{quote(path, safe='/+')}?{query}"
        return ServerResponse(307, (("Location", location), ("Content-Type", "application/octet-stream")))

    # ---- operations

    def _execute(self, request: ServerRequest, op: str, path: str, node: str) -> ServerResponse:
        if node == "data" and self.settings.decodes_twice:
            path = ServerRequest("GET", path, ()).path
        if self.settings.httpfs and op in ("CREATE", "APPEND") and (
                request.header("content-type") != "application/octet-stream"):
            return ServerResponse(400, (), b"Data upload requests must have content-type set")
        operation: Callable[[ServerRequest, str], ServerResponse] | None = getattr(self, f"_{op.lower()}", None)
        if operation is None or not op.isupper():
            raise HdfsError(400, "IllegalArgumentException", f'Invalid value for webhdfs parameter "op": {op}')
        return operation(request, path)

    def _file(self, path: str) -> Inode:
        inode = self.tree.find(path)
        if inode.is_directory:
            raise HdfsError(404, "FileNotFoundException", f"Path is not a file: {path}")
        return inode

    def _open(self, request: ServerRequest, path: str) -> ServerResponse:
        content = self._file(path).content or b""
        offset = int(request.query.get("offset", "0"))
        length = int(request.query.get("length", len(content)))
        return ServerResponse(200, (("Content-Type", "application/octet-stream"), ("Connection", "close")),
                              content[offset:offset + length])

    def _create(self, request: ServerRequest, path: str) -> ServerResponse:
        self.tree.create(path, request.body, overwrite=request.query.get("overwrite") == "true",
                         block=int(request.query.get("blocksize", 128 << 20)))
        return ServerResponse(201, (("Location", f"hdfs://nn{quote(path)}"),))

    def _append(self, request: ServerRequest, path: str) -> ServerResponse:
        inode = self._file(path)
        inode.content = (inode.content or b"") + request.body
        inode.modified = int(time.time() * 1000)
        return ServerResponse(200)

    def _truncate(self, request: ServerRequest, path: str) -> ServerResponse:
        if self.settings.recoveries:
            self.recovering[path] = self.settings.recoveries, int(request.query["newlength"])
            return _document({"boolean": False})
        inode = self._file(path)
        inode.content = (inode.content or b"")[:int(request.query["newlength"])]
        inode.modified = int(time.time() * 1000)
        return _document({"boolean": True})

    def _concat(self, request: ServerRequest, path: str) -> ServerResponse:
        sources = request.query["sources"].split(",")
        inode, others = self._file(path), [self._file(source) for source in sources]
        if any(not other.content for other in (inode, *others)):
            raise HdfsError(403, "HadoopIllegalArgumentException", "concat: source file is empty")
        inode.content = b"".join([inode.content or b"", *(other.content or b"" for other in others)])
        for source in sources:
            self.tree.remove(source, recursive=False)
        return ServerResponse(200)

    def _getfilestatus(self, request: ServerRequest, path: str) -> ServerResponse:
        looks, size = self.recovering.pop(path, (0, -1))
        if looks:
            self.recovering[path] = looks - 1, size
        elif size >= 0:
            self.tree.find(path).content = (self.tree.find(path).content or b"")[:size]
        return _document({"FileStatus": self.tree.find(path).status("", file_ids=not self.settings.httpfs)})

    def _liststatus(self, request: ServerRequest, path: str) -> ServerResponse:
        inode = self.tree.find(path)
        # As a NameNode sorts: names by their bytes, which Java takes for signed.
        names = sorted(inode.children, key=lambda name: [(byte + 128) % 256 for byte in name.encode()])
        found = [inode.children[name].status(name, file_ids=not self.settings.httpfs) for name in names]
        if not inode.is_directory:
            found = [inode.status("", file_ids=not self.settings.httpfs)]
        return _document({"FileStatuses": {"FileStatus": found}})

    def _getfilechecksum(self, request: ServerRequest, path: str) -> ServerResponse:
        return _document({"FileChecksum": self._file(path).checksum()})

    def _mkdirs(self, request: ServerRequest, path: str) -> ServerResponse:
        self.tree.make_directory(path)
        return _document({"boolean": True})

    def _delete(self, request: ServerRequest, path: str) -> ServerResponse:
        return _document({"boolean": self.tree.remove(path, recursive=request.query.get("recursive") == "true")})

    def _rename(self, request: ServerRequest, path: str) -> ServerResponse:
        options = request.query.get("renameoptions")
        if self.settings.httpfs or options is None:
            return _document({"boolean": self.tree.rename_without_options(path, request.query["destination"])})
        self.tree.rename(path, request.query["destination"], overwrite=options == "OVERWRITE")
        return ServerResponse(200)

    def _setpermission(self, request: ServerRequest, path: str) -> ServerResponse:
        self.tree.find(path).permission = request.query["permission"]
        return ServerResponse(200)

    def _setowner(self, request: ServerRequest, path: str) -> ServerResponse:
        inode = self.tree.find(path)
        inode.owner = request.query.get("owner", inode.owner)
        inode.group = request.query.get("group", inode.group)
        return ServerResponse(200)

    def _settimes(self, request: ServerRequest, path: str) -> ServerResponse:
        inode = self.tree.find(path)
        given = {name: int(request.query[name]) for name in ("modificationtime", "accesstime")}
        inode.modified = inode.modified if given["modificationtime"] < 0 else given["modificationtime"]
        inode.accessed = inode.accessed if given["accesstime"] < 0 else given["accesstime"]
        return ServerResponse(200)

    # ---- ACLs: entries other than those of the permissions

    def _getaclstatus(self, request: ServerRequest, path: str) -> ServerResponse:
        inode = self._with_acls(path)
        return _document({"AclStatus": {"entries": inode.acl, "owner": inode.owner, "group": inode.group,
                                        "permission": inode.permission, "stickyBit": False}})

    def _setacl(self, request: ServerRequest, path: str) -> ServerResponse:
        inode, given = self._with_acls(path), request.query["aclspec"].split(",")
        digits = {entry.rpartition(":")[0]: _digit(entry.rpartition(":")[2]) for entry in given}
        inode.permission = "".join(str(digits[whose]) for whose in ("user:", "group:", "other:"))
        inode.acl = [entry for entry in given if not entry.startswith(("user::", "group::", "other::", "mask::"))]
        return ServerResponse(200)

    def _modifyaclentries(self, request: ServerRequest, path: str) -> ServerResponse:
        inode = self._with_acls(path)
        for entry in request.query["aclspec"].split(","):
            whose = entry.rpartition(":")[0]
            inode.acl = [kept for kept in inode.acl if kept.rpartition(":")[0] != whose] + [entry]
        return ServerResponse(200)

    def _removeaclentries(self, request: ServerRequest, path: str) -> ServerResponse:
        inode, given = self._with_acls(path), request.query["aclspec"].split(",")
        if not all(entry.endswith(":") for entry in given):
            raise HdfsError(400, "IllegalArgumentException", 'Invalid value for webhdfs parameter "aclspec"')
        gone = [entry[:-1] for entry in given]
        inode.acl = [entry for entry in inode.acl if entry.rpartition(":")[0] not in gone]
        return ServerResponse(200)

    def _removedefaultacl(self, request: ServerRequest, path: str) -> ServerResponse:
        inode = self._with_acls(path)
        inode.acl = [entry for entry in inode.acl if not entry.startswith("default:")]
        return ServerResponse(200)

    def _removeacl(self, request: ServerRequest, path: str) -> ServerResponse:
        self._with_acls(path).acl = []
        return ServerResponse(200)

    def _with_acls(self, path: str) -> Inode:
        if not self.settings.acls:
            raise HdfsError(403, "AclException", "Support for ACLs has been disabled")
        return self.tree.find(path)


def _digit(rights: str) -> int:
    return sum(value for letter, value in zip(rights, (4, 2, 1), strict=True) if letter != "-")


def _document(document: Any, status: int = 200) -> ServerResponse:
    return ServerResponse(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


def remote_exception(name: str, status: int = 403, message: str = "") -> ServerResponse:
    """The response that reports an exception."""
    return _document(HdfsError(status, name, message).document, status)


class WebHdfsApp(ServerApp):
    """What runs in the server's process."""

    def reset(self) -> None:
        super().reset()
        self.service = WebHdfsService()

    def write(self, path: str, content: bytes) -> None:
        self.service.tree.create(path, content, overwrite=True)

    def files(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}

        def collect(inode: Inode, path: str) -> None:
            if inode.content is not None:
                found[path] = inode.content
            for name, child in inode.children.items():
                collect(child, f"{path}/{name}")

        collect(self.service.tree.root, "")
        return found


class WebHdfsServer(S3Server):
    """The test's hold on the server: scripts and records as `S3Server` has them; settings are `WebHdfsSettings`."""

    app = "tests.servers.webhdfs_server:WebHdfsApp"
    initial_settings = WebHdfsSettings()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def write(self, path: str, content: bytes) -> None:
        """Write a file behind the client's back."""
        self._process.call("write", path, content)

    def files(self) -> dict[str, bytes]:
        """All files with their contents, by their paths."""
        found: dict[str, bytes] = self._process.call("files")
        return found
