"""A scripted server of Data Lake Storage Gen1, written from its documents and recorded responses.

    with AdlServer() as server:
        server.script(Rule(Status(503), key="a"))

All is sent to one server; a request without `write=true`, `read=true` or `append=true` is redirected to itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cloudfiles.testing import S3Server
from cloudfiles.testing.http_messages import ServerRequest, ServerResponse, http_date
from cloudfiles.testing.server_app import ServerApp

API, EXTENSIONS = "/webhdfs/v1", "/webhdfsext"
BASE = ("user::rwx", "group::rwx", "other::---")


@dataclass
class Node:
    """A file or directory."""

    content: bytes | None = None  # None for a directory
    modified: int = 0
    permission: str = "770"
    owner: str = "9a23860e-03b0-4bad-a8b7-e1d081d592bd"
    group: str = "2e6c02d2-a364-4530-9137-d17403996cbf"
    acl: tuple[str, ...] = BASE
    expires: int = 0

    def touch(self) -> None:
        self.modified = time.time_ns() // 1_000_000


@dataclass(frozen=True)
class AdlSettings:
    """How the server behaves when nothing is scripted.

    Attributes:
        token: the bearer token that requests need; '' checks nothing.
        max_list: entries in a response to LISTSTATUS at most.
    """

    token: str = ""
    max_list: int = 4000


class AdlError(Exception):
    """A RemoteException."""

    def __init__(self, status: int, name: str, message: str = "") -> None:
        self.status = status
        self.document = {"RemoteException": {"exception": name, "message": f"{message} [request id]",
                                             "javaClassName": f"java.io.{name}"}}


@dataclass
class AdlService:
    """One store."""

    settings: AdlSettings = field(default_factory=AdlSettings)
    nodes: dict[str, Node] = field(default_factory=lambda: {"/": Node()})

    def date_header(self) -> tuple[str, str]:
        return "Date", http_date(int(time.time()))

    def locate(self, request: ServerRequest) -> tuple[str, str]:
        return "", request.path.removeprefix(API).removeprefix(EXTENSIONS).removeprefix("/")

    def respond(self, request: ServerRequest) -> ServerResponse:
        try:
            answer = self._dispatch(request)
        except AdlError as error:
            answer = _json(error.document, error.status)
        return ServerResponse(answer.status, (*answer.headers, self.date_header()), answer.body)

    def _dispatch(self, request: ServerRequest) -> ServerResponse:
        if self.settings.token and request.header("authorization") != f"Bearer {self.settings.token}":
            raise AdlError(401, "SecurityException", "the token is invalid")
        if request.query.get("api-version") != "2018-09-01":
            raise AdlError(400, "IllegalArgumentException", "no api-version")
        op = request.query.get("op", "")
        path = "/" + self.locate(request)[1].rstrip("/")
        if (op == "SETEXPIRY") is not request.path.startswith(EXTENSIONS):
            raise AdlError(400, "UnsupportedOperationException", f"{op} is not an operation here")
        operation: Callable[[ServerRequest, str], ServerResponse] | None = getattr(self, f"_{op.lower()}", None)
        if operation is None:
            raise AdlError(400, "UnsupportedOperationException", f"unknown operation {op}")
        return operation(request, path)

    # ---- the tree

    def _found(self, path: str) -> Node:
        if path not in self.nodes:
            raise AdlError(404, "FileNotFoundException", f"File/Folder does not exist: {path}")
        return self.nodes[path]

    def _below(self, path: str) -> list[str]:
        return sorted(name for name in self.nodes if name != "/" and name.startswith(path.rstrip("/") + "/"))

    def _make_parents(self, path: str) -> None:
        for end in [at for at, letter in enumerate(path) if letter == "/" and at]:
            parent = self.nodes.setdefault(path[:end], Node())
            if parent.content is not None:
                raise AdlError(403, "FileAlreadyExistsException", f"{path[:end]} is a file, not a directory")

    def _getfilestatus(self, request: ServerRequest, path: str) -> ServerResponse:
        return _json({"FileStatus": _status(self._found(path), "")})

    def _liststatus(self, request: ServerRequest, path: str) -> ServerResponse:
        node = self._found(path)
        if node.content is not None:
            return _json({"FileStatuses": {"FileStatus": [_status(node, "")]}})
        names = [name[len(path.rstrip("/")) + 1:] for name in self._below(path)]
        names = [name for name in names if "/" not in name and name > request.query.get("listAfter", "")]
        most = min(int(request.query.get("listSize", "4000")), self.settings.max_list)
        return _json({"FileStatuses": {"FileStatus": [
            _status(self.nodes[f"{path.rstrip('/')}/{name}"], name) for name in names[:most]]}})

    def _mkdirs(self, request: ServerRequest, path: str) -> ServerResponse:
        self._make_parents(path)
        if self.nodes.setdefault(path, Node()).content is not None:
            raise AdlError(403, "FileAlreadyExistsException", path)
        return _json({"boolean": True})

    def _delete(self, request: ServerRequest, path: str) -> ServerResponse:
        if path not in self.nodes:
            return _json({"boolean": False})
        below = self._below(path)
        if below and request.query.get("recursive", "").lower() != "true":
            raise AdlError(403, "PathIsNotEmptyDirectoryException", path)
        for name in [*below, path]:
            del self.nodes[name]
        return _json({"boolean": True})

    def _rename(self, request: ServerRequest, path: str) -> ServerResponse:
        target = "/" + request.query["destination"].strip("/")
        there = self.nodes.get(target)
        if path not in self.nodes or target.startswith(f"{path}/"):
            return _json({"boolean": False})
        if there is not None and there.content is None:
            target = f"{target}/{path.rpartition('/')[2]}"  # into a directory, as Hadoop's first RENAME
            there = self.nodes.get(target)
        if there is not None and request.query.get("renameoptions") != "OVERWRITE":
            return _json({"boolean": False})
        if target.rpartition("/")[0] not in ("", *self.nodes):
            return _json({"boolean": False})
        for name in [path, *self._below(path)]:
            self.nodes[target + name[len(path):]] = self.nodes.pop(name)
        return _json({"boolean": True})

    # ---- content

    def _redirected(self, request: ServerRequest, parameter: str) -> ServerResponse | None:
        if request.query.get(parameter) == "true":
            return None
        return ServerResponse(307, (("Location", f"{request.target}&{parameter}=true"),))

    def _create(self, request: ServerRequest, path: str) -> ServerResponse:
        if (answer := self._redirected(request, "write")) is not None:
            return answer
        there = self.nodes.get(path)
        if there is not None and (there.content is None or request.query.get("overwrite", "").lower() != "true"):
            raise AdlError(403, "FileAlreadyExistsException", path)
        self._make_parents(path)
        self.nodes[path] = Node(request.body)
        self.nodes[path].touch()
        return ServerResponse(201)

    def _open(self, request: ServerRequest, path: str) -> ServerResponse:
        if (answer := self._redirected(request, "read")) is not None:
            return answer
        content = self._found(path).content
        if content is None:
            raise AdlError(404, "FileNotFoundException", f"{path} is a directory")
        start = int(request.query.get("offset", "0"))
        length = int(request.query.get("length", str(len(content))))
        return ServerResponse(200, (("Content-Type", "application/octet-stream"),), content[start:start + length])

    def _append(self, request: ServerRequest, path: str) -> ServerResponse:
        if (answer := self._redirected(request, "append")) is not None:
            return answer
        node = self._found(path)
        offset = int(request.query.get("offset", str(len(node.content or b""))))
        if node.content is None or offset != len(node.content):
            raise AdlError(400, "BadOffsetException", f"the file has {len(node.content or b'')} bytes")
        node.content += request.body
        node.touch()
        return ServerResponse(200)

    def _msconcat(self, request: ServerRequest, path: str) -> ServerResponse:
        """The sources end up in the target, and are gone."""
        names = ["/" + name.strip("/") for name in request.body.decode().removeprefix("sources=").split(",")]
        content = b"".join(self._found(name).content or b"" for name in names)
        for name in names:
            del self.nodes[name]
        self._make_parents(path)
        self.nodes[path] = Node(content)
        self.nodes[path].touch()
        return ServerResponse(200)

    # ---- access and expiry

    def _setpermission(self, request: ServerRequest, path: str) -> ServerResponse:
        self._found(path).permission = request.query["permission"]
        return ServerResponse(200)

    def _setowner(self, request: ServerRequest, path: str) -> ServerResponse:
        node = self._found(path)
        node.owner = request.query.get("owner", node.owner)
        node.group = request.query.get("group", node.group)
        return ServerResponse(200)

    def _msgetaclstatus(self, request: ServerRequest, path: str) -> ServerResponse:
        node = self._found(path)
        return _json({"AclStatus": {"entries": list(node.acl), "owner": node.owner, "group": node.group,
                                    "permission": node.permission, "stickyBit": False}})

    def _setacl(self, request: ServerRequest, path: str) -> ServerResponse:
        self._found(path).acl = tuple(_spec(request).split(","))
        return ServerResponse(200)

    def _modifyaclentries(self, request: ServerRequest, path: str) -> ServerResponse:
        node, given = self._found(path), _spec(request).split(",")
        whose = {entry.rpartition(":")[0] for entry in given}
        node.acl = tuple([entry for entry in node.acl if entry.rpartition(":")[0] not in whose] + given)
        return ServerResponse(200)

    def _removeaclentries(self, request: ServerRequest, path: str) -> ServerResponse:
        node, gone = self._found(path), set(_spec(request).split(","))
        node.acl = tuple(entry for entry in node.acl if entry.rpartition(":")[0] not in gone)
        return ServerResponse(200)

    def _removedefaultacl(self, request: ServerRequest, path: str) -> ServerResponse:
        node = self._found(path)
        node.acl = tuple(entry for entry in node.acl if not entry.startswith("default:"))
        return ServerResponse(200)

    def _removeacl(self, request: ServerRequest, path: str) -> ServerResponse:
        node = self._found(path)
        node.acl = tuple(entry for entry in node.acl if entry.rpartition(":")[0] in ("user:", "group:", "other:"))
        return ServerResponse(200)

    def _setexpiry(self, request: ServerRequest, path: str) -> ServerResponse:
        node = self._found(path)
        if node.content is None:
            raise AdlError(403, "UnsupportedOperationException", "folders do not expire")
        if request.query["expiryOption"] == "NeverExpire":
            node.expires = 0
        else:
            node.expires = int(request.query["expireTime"])
        return ServerResponse(200)


def _spec(request: ServerRequest) -> str:
    """The names of parameters are compared without case."""
    return {name.lower(): value for name, value in request.query.items()}["aclspec"]


def _json(document: Any, status: int = 200) -> ServerResponse:
    return ServerResponse(status, (("Content-Type", "application/json; charset=utf-8"),), json.dumps(document).encode())


def _status(node: Node, name: str) -> dict[str, Any]:
    return {"length": len(node.content or b""), "pathSuffix": name,
            "type": "DIRECTORY" if node.content is None else "FILE", "blockSize": 268435456,
            "accessTime": node.modified, "modificationTime": node.modified, "replication": 1,
            "permission": node.permission, "owner": node.owner, "group": node.group, "msExpirationTime": node.expires,
            "aclBit": len(node.acl) > 3}


class AdlApp(ServerApp):
    """The server's process."""

    def reset(self) -> None:
        super().reset()
        self.service = AdlService()

    def configure(self, changes: dict[str, Any]) -> Any:
        self.service.settings = replace(self.service.settings, **changes)
        return self.service.settings

    def nodes(self) -> dict[str, Node]:
        found: dict[str, Node] = self.service.nodes
        return found


class AdlServer(S3Server):
    """The test's hold on the server: scripts and records as `S3Server` has them, and nodes in place of objects."""

    app = "tests.servers.adl_server:AdlApp"
    initial_settings = AdlSettings()

    def nodes(self) -> dict[str, Node]:
        """All files and directories, by their absolute paths."""
        found: dict[str, Node] = self._process.call("nodes")
        return found
