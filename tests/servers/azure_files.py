"""The scripted Azure server's Data Lake service: a request to the dfs endpoint in, the right answer out.

Source: Data Lake Storage Gen2 REST reference, "Path" and "Filesystem"; each method names its operation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import unquote

from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse
from tests.servers.azure_paths import AzureError, AzureSettings, Path, check_body, check_conditions


class Files:
    """The files and directories of one file system. The root is ''."""

    def __init__(self, settings: AzureSettings, paths: dict[str, Path]) -> None:
        self.settings = settings
        self.paths = paths
        self.root = Path(directory=True)

    def respond(self, request: ServerRequest, key: str) -> ServerResponse:
        key = key.rstrip("/")
        check_body(request)
        query = request.query
        if query.get("resource") == "filesystem":
            value = "true" if self.settings.hierarchical else "false"
            return ServerResponse(200, (("x-ms-namespace-enabled", value),))
        if not self.settings.hierarchical:
            raise AzureError(409, "HierarchicalNamespaceNotEnabled")
        operations: dict[tuple[str, str], Callable[[ServerRequest, str], ServerResponse]] = {
            ("PUT", ""): self._rename, ("PUT", "directory"): self._create, ("PUT", "file"): self._create,
            ("DELETE", ""): self._delete, ("HEAD", "getStatus"): self._status,
            ("HEAD", "getAccessControl"): self._get_access, ("PATCH", "setAccessControl"): self._set_access,
            ("PATCH", "setAccessControlRecursive"): self._set_recursive, ("PATCH", "append"): self._append,
            ("PATCH", "flush"): self._flush}
        return operations[request.method, query.get("resource") or query.get("action", "")](request, key)

    def _found(self, key: str) -> Path:
        if key and key not in self.paths:
            raise AzureError(404, "PathNotFound")
        return self.paths[key] if key else self.root

    def _below(self, key: str) -> list[str]:
        return sorted(path for path in self.paths if path.startswith(f"{key}/" if key else ""))

    # ---- the tree

    def _create(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Create, resource=directory or file."""
        there = self.paths.get(key)
        check_conditions(request, there)
        directory = request.query["resource"] == "directory"
        if there is not None and there.directory and not directory:
            raise AzureError(409, "PathAlreadyExists")
        for end in [at for at, character in enumerate(key) if character == "/"]:
            self.paths.setdefault(key[:end], Path(directory=True))
        self.paths[key] = Path(directory=directory)
        return ServerResponse(201, (("ETag", self.paths[key].etag),))

    def _rename(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Create with x-ms-rename-source; in several steps where there is much to do."""
        source = unquote((request.header("x-ms-rename-source") or "").partition("?")[0]).split("/", 2)[-1]
        if source not in self.paths:
            raise AzureError(404, "SourcePathNotFound")
        check_conditions(request, self.paths[source], source=True)
        target = self.paths.get(key)
        check_conditions(ServerRequest("PUT", "/?resource=", request.headers), target)
        if target is not None and target.directory and self._below(key):
            raise AzureError(409, "DestinationPathAlreadyExists")
        if request.query.get("continuation") is None and len(self._below(source)) > self.settings.acl_page:
            return ServerResponse(201, (("x-ms-continuation", "more to do"),))
        for path in [source, *self._below(source)]:
            self.paths[key + path[len(source):]] = self.paths.pop(path)
        return ServerResponse(201)

    def _delete(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Delete; a large tree in several steps."""
        self._found(key)
        below = self._below(key)
        if below and request.query.get("recursive") != "true":
            raise AzureError(409, "DirectoryNotEmpty")
        for path in below[:self.settings.acl_page]:
            del self.paths[path]
        if len(below) > self.settings.acl_page:
            return ServerResponse(200, (("x-ms-continuation", "more to do/+="),))
        del self.paths[key]
        return ServerResponse(200)

    def _status(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Get Properties, action=getStatus."""
        path = self._found(key)
        kind = "directory" if path.directory else "file"
        return ServerResponse(200, (("ETag", path.etag), ("x-ms-resource-type", kind)),
                              announced_length=len(path.content))

    # ---- access

    def _get_access(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Get Properties, action=getAccessControl."""
        path = self._found(key)
        names: Headers = (("x-ms-owner", path.owner), ("x-ms-group", path.group), ("x-ms-acl", path.acl),
                          ("x-ms-permissions", path.permissions), ("ETag", path.etag))
        return ServerResponse(200, names, announced_length=0)

    def _set_access(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Update, action=setAccessControl. An ACL has to name owner, group and others."""
        path = self._found(key)
        check_conditions(request, path)
        acl, permissions = request.header("x-ms-acl"), request.header("x-ms-permissions")
        if acl is not None and (permissions is not None or not {"user:", "group:", "other:"} <= {
                f"{entry.split(':')[0]}:{entry.split(':')[1]}" for entry in acl.split(",")}):
            raise AzureError(400, "InvalidAcl")
        path.acl, path.permissions = acl or path.acl, permissions or path.permissions
        path.owner = request.header("x-ms-owner") or path.owner
        path.group = request.header("x-ms-group") or path.group
        path.changed()
        return ServerResponse(200, (("ETag", path.etag),))

    def _set_recursive(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Update, action=setAccessControlRecursive: a page, and where to go on."""
        query = request.query
        keys = [key, *self._below(key)]
        start = int(query.get("continuation", "0").partition("/")[0])
        page = keys[start:start + min(self.settings.acl_page, int(query["maxRecords"]))]
        failed = [{"name": path, "type": "FILE", "errorMessage": "This request is not authorized."}
                  for path in page if path.endswith("locked")]
        done = [path for path in page if not path.endswith("locked")]
        for path in done:
            self._found(path).acl = f"{query['mode']} {request.header('x-ms-acl')}"
        directories = [path for path in done if self._found(path).directory]
        body = {"directoriesSuccessful": len(directories), "filesSuccessful": len(done) - len(directories),
                "failureCount": len(failed), "failedEntries": failed}
        more: Headers = ((("x-ms-continuation", f"{start + len(page)}/+="),) if start + len(page) < len(keys) else ())
        return ServerResponse(200, more, json.dumps(body).encode())

    # ---- content

    def _append(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Update, action=append: 202, as nothing shows yet."""
        self._found(key).staged[request.query["position"]] = request.body
        return ServerResponse(202)

    def _flush(self, request: ServerRequest, key: str) -> ServerResponse:
        """Path - Update, action=flush: what was appended has to be without gaps."""
        path = self._found(key)
        content, length = path.content, int(request.query["position"])
        while str(len(content)) in path.staged and len(content) < length:
            content += path.staged.pop(str(len(content)))
        if len(content) != length:
            raise AzureError(400, "InvalidFlushPosition")
        path.content = content
        path.changed()
        return ServerResponse(200, (("ETag", path.etag),))
