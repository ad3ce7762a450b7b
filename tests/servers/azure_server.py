"""A scripted Azure Blob and Data Lake server in a process of its own: what azurite lacks, and faults besides.

    with AzureServer() as server:
        server.configure(hierarchical=True)
        server.script(Rule(Status(503), key="a"))

Both services are at `server.endpoint`, path style: requests of the dfs endpoint are told by their method and query.
The container `server.container` is there from the start.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from cloudfiles.testing import S3Server
from cloudfiles.testing.http_messages import ServerRequest, ServerResponse, http_date
from cloudfiles.testing.server_app import ServerApp
from tests.servers.azure_blobs import Blobs
from tests.servers.azure_files import Files
from tests.servers.azure_paths import AzureError, AzureSettings, Path, md5
from tests.servers.azure_signatures import verify

CONTAINER = "container"


class AzureService:
    """One account with one container, behind the connections of the scripted server."""

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}
        self.configure(AzureSettings())

    def configure(self, settings: AzureSettings) -> None:
        self.settings = settings
        self.blobs = Blobs(settings, self.paths)
        self.files = Files(settings, self.paths)

    def date_header(self) -> tuple[str, str]:
        return "Date", http_date(int(time.time() + self.settings.clock_offset))

    def locate(self, request: ServerRequest) -> tuple[str, str]:
        """Container and key."""
        parts = request.path.split("/", 3)
        return (parts[2] if len(parts) > 2 else ""), (parts[3] if len(parts) > 3 else "")

    def respond(self, request: ServerRequest) -> ServerResponse:
        """The right answer, with the headers every answer has."""
        try:
            answer = self._dispatch(request)
        except AzureError as error:
            answer = error.answer(dfs=_is_dfs(request), terse=self.settings.terse)
        headers = (*answer.headers, self.date_header(), ("x-ms-request-id", uuid.uuid4().hex))
        if request.method == "HEAD" and answer.announced_length is None:
            return ServerResponse(answer.status, headers, announced_length=len(answer.body))
        return ServerResponse(answer.status, headers, answer.body, answer.announced_length)

    def _dispatch(self, request: ServerRequest) -> ServerResponse:
        verify(request, self.settings)
        container, key = self.locate(request)
        query = request.query
        if query.get("comp") == "userdelegationkey":
            return _delegation_key(request)
        if container != CONTAINER:
            raise AzureError(404, "ContainerNotFound")
        if query.get("restype") == "account":
            return self._account()
        if query.get("restype") == "container" and request.method == "HEAD":
            return ServerResponse(200)
        if query.get("restype") == "container":
            return self._batch(request) if query.get("comp") == "batch" else self.blobs.list(request)
        if _is_dfs(request):
            return self.files.respond(request, key)
        verbs = {"GET": self.blobs.get, "HEAD": self.blobs.get, "PUT": self.blobs.put, "DELETE": self.blobs.delete}
        return verbs[request.method](request, key)

    def _account(self) -> ServerResponse:
        """Get Account Information."""
        if not self.settings.account_information:
            raise AzureError(403, "AuthorizationPermissionMismatch")
        return ServerResponse(200, (("x-ms-is-hns-enabled", "true" if self.settings.hierarchical else "false"),))

    def _batch(self, request: ServerRequest) -> ServerResponse:
        """Blob Batch: each part is a request of its own, authorized by itself."""
        boundary = (request.header("content-type") or "").partition("boundary=")[2]
        answers = []
        for part in request.body.decode().split(f"--{boundary}")[1:-1]:
            outer, inner = part.strip().split("\r\n\r\n")[:2]
            number = outer.partition("Content-ID: ")[2].split("\r\n")[0]
            answer = self._part(inner)
            fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
            answers.append(f"--answer\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
                           f"HTTP/1.1 {answer.status} Reason\r\n{fields}\r\n{answer.body.decode()}\r\n")
        return ServerResponse(202, (("Content-Type", "multipart/mixed; boundary=answer"),),
                              ("".join(answers) + "--answer--\r\n").encode())

    def _part(self, text: str) -> ServerResponse:
        line, *fields = text.split("\r\n")
        method, target, _ = line.split(" ")
        headers = tuple((name.lower(), value.strip()) for name, _, value in (field.partition(":") for field in fields))
        request = ServerRequest(method, target, headers)
        key = self.locate(request)[1]
        try:
            verify(request, self.settings)
            if key in self.settings.batch_errors:
                raise AzureError(*self.settings.batch_errors[key])
            return self.blobs.delete(request, key)
        except AzureError as error:
            return error.answer(dfs=False, terse=self.settings.terse)


def _is_dfs(request: ServerRequest) -> bool:
    return (request.method == "PATCH" or "resource" in request.query or "action" in request.query
            or "recursive" in request.query or request.header("x-ms-rename-source") is not None)


def _delegation_key(request: ServerRequest) -> ServerResponse:
    """Get User Delegation Key."""
    text = unquote(request.body.decode())
    start, expiry = (text.partition(f"<{name}>")[2].partition("<")[0] for name in ("Start", "Expiry"))
    return ServerResponse(200, (), (
        "\ufeff<UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid>"
        f"<SignedStart>{start}</SignedStart><SignedExpiry>{expiry}</SignedExpiry><SignedService>b</SignedService>"
        "<SignedVersion>2022-11-02</SignedVersion><Value>a2V5</Value></UserDelegationKey>").encode())


class AzureApp(ServerApp):
    """The server's process."""

    def reset(self) -> None:
        """As new: no blobs, no script, no record, no connection."""
        super().reset()
        self.service = AzureService()

    def configure(self, changes: dict[str, Any]) -> Any:
        self.service.configure(replace(self.service.settings, **changes))
        return self.service.settings

    def put_path(self, key: str, path: Path) -> None:
        self.service.paths[key] = path

    def put_paths(self, paths: dict[str, Path]) -> None:
        self.service.paths.update(paths)

    def paths(self) -> dict[str, Path]:
        found: dict[str, Path] = self.service.paths
        return found


class AzureServer(S3Server):
    """The test's hold on the server: scripts and records as `S3Server` has them, and paths in place of objects."""

    container = CONTAINER

    app = "tests.servers.azure_server:AzureApp"
    initial_settings = AzureSettings()

    @property
    def endpoint(self) -> str:
        return f"{self.url}/{AzureSettings().account}"

    def put_blob(self, key: str, content: bytes, **more: Any) -> Path:
        """Store a blob with its Content-MD5."""
        headers = {"content-md5": md5(content), **more.pop("headers", {})}
        path = Path(content, headers, **more)
        self._process.call("put_path", key, path)
        return path

    def put_blobs(self, contents: Mapping[str, bytes]) -> None:
        for key, content in contents.items():
            self.put_blob(key, content)

    def path(self, key: str) -> Path | None:
        """What is there, as it is."""
        return self.paths().get(key)

    def paths(self) -> dict[str, Path]:
        found: dict[str, Path] = self._process.call("paths")
        return found
