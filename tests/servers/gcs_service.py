"""The scripted server's Cloud Storage: the JSON API as Google documents it, no socket in it.

Sources, all of Cloud Storage's documentation: JSON API reference (Objects: get, list, insert, rewrite, compose,
delete; Buckets: testIamPermissions), "Request preconditions", "Resumable uploads", "Batch requests",
"Transcoding of gzip-compressed files", "HTTP status and error codes for JSON".
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

from cloudfiles.testing import StoredObject, object_response
from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse, http_date
from cloudfiles.testing.s3_documents import S3Error
from cloudfiles.testing.s3_objects import checksum
from tests.servers.gcs_settings import GcsSettings
from tests.servers.gcs_uploads import Session, parse_batch, parse_related, upload_span

_TARGET = re.compile(r"(?P<api>/upload|/download)?/storage/v1/b/(?P<bucket>[^/]+)(?:/(?P<rest>o|iam/testPermissions))?"
                     r"(?:/(?P<name>[^/]+)(?P<operation>/.*)?)?")
_COPY = re.compile(r"/rewriteTo/b/([^/]+)/o/([^/]+)")

_HEADER_OF = {"contentType": "content-type", "contentEncoding": "content-encoding", "cacheControl": "cache-control",
              "contentDisposition": "content-disposition", "contentLanguage": "content-language"}


class Refused(Exception):  # noqa: N818 -- an answer, not a failure
    """A request that Cloud Storage refuses."""

    def __init__(self, status: int, reason: str, message: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.message = message or reason

    def answer(self) -> ServerResponse:
        error = {"errors": [{"domain": "global", "reason": self.reason, "message": self.message}],
                 "code": self.status, "message": self.message}
        return json_answer({"error": error}, self.status)


def json_answer(document: Any, status: int = 200) -> ServerResponse:
    return ServerResponse(status, (("Content-Type", "application/json; charset=UTF-8"),), json.dumps(document).encode())


class Objects(dict[str, StoredObject]):
    """A bucket's objects; each one written gets a generation of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generations: dict[str, int] = {}
        self.metagenerations: dict[str, int] = {}
        self._next = 1_700_000_000_000_000

    def __setitem__(self, name: str, stored: StoredObject) -> None:
        self._next += 1
        self.generations[name] = self._next
        self.metagenerations[name] = 1
        super().__setitem__(name, stored)


class GcsBucket:
    def __init__(self) -> None:
        self.objects = Objects()
        self.sessions: dict[str, Session] = {}
        self.uploads: dict[str, Any] = {}


class GcsService:
    """Buckets, and what requests do to them."""

    def __init__(self) -> None:
        self.settings = GcsSettings()
        self.buckets: dict[str, GcsBucket] = {"bucket": GcsBucket()}
        self._rewrites: dict[str, int] = {}

    def date_header(self) -> tuple[str, str]:
        return "Date", http_date(int(datetime.now(timezone.utc).timestamp()))

    def locate(self, request: ServerRequest) -> tuple[str, str]:
        """Bucket and object name of a request; ('', '') of a batch."""
        match = _TARGET.fullmatch(request.raw_path)
        if match is None:
            return "", ""
        return unquote(match["bucket"]), unquote(match["name"] or request.query.get("name", ""))

    def respond(self, request: ServerRequest) -> ServerResponse:
        try:
            self._authorize(request)
            answer = self._dispatch(request)
        except Refused as refused:
            answer = refused.answer()
        except S3Error as error:  # of the shared reading of objects: 412 and 416
            headers = (("Content-Type", "text/html"), *error.headers)
            answer = ServerResponse(error.status, headers, error.message.encode())
        return ServerResponse(answer.status, (*answer.headers, self.date_header()), answer.body,
                              answer.announced_length)

    def _authorize(self, request: ServerRequest) -> None:
        token = self.settings.token
        if token is not None and request.header("authorization") != f"Bearer {token}":
            sent = request.header("authorization") is not None
            if sent:
                raise Refused(401, "authError", "Invalid Credentials")
            raise Refused(401, "required", "Anonymous caller does not have storage.objects.get access to the object.")

    def _dispatch(self, request: ServerRequest) -> ServerResponse:
        if request.raw_path == "/batch/storage/v1":
            return self._batch(request)
        match = _TARGET.fullmatch(request.raw_path)
        if match is None:
            raise Refused(404, "notFound")
        if self.settings.requester_pays and not request.query.get("userProject"):
            raise Refused(400, "required", "Bucket is a requester pays bucket but no user project provided.")
        bucket = self.buckets.get(unquote(match["bucket"]))
        if bucket is None:
            raise self._no_bucket(unquote(match["bucket"]))
        if match["api"] == "/upload":
            return self._upload(request, bucket)
        if match["rest"] is None:
            return json_answer(self.settings.policy)
        if match["rest"] != "o":
            asked = re.findall(r"permissions=([^&]+)", request.raw_query)
            return json_answer({"permissions": [name for name in asked if name in self.settings.permissions]})
        if match["name"] is None:
            return self._list(request, unquote(match["bucket"]), bucket)
        return self._object(request, unquote(match["bucket"]), bucket, unquote(match["name"]), match["operation"] or "")

    def _no_bucket(self, name: str) -> Refused:
        return Refused(404, "notFound", self.settings.no_bucket.format(bucket=name))

    # ---- objects

    def _object(self, request: ServerRequest, bucket_name: str, bucket: GcsBucket, name: str,
                operation: str) -> ServerResponse:
        if operation == "/compose":
            return self._compose(request, bucket, name)
        if operation:
            return self._rewrite(request, bucket, name, operation)
        if name not in bucket.objects:
            message = self.settings.no_object.format(bucket=bucket_name, name=name)
            if request.query.get("alt") == "media":
                return ServerResponse(404, (("Content-Type", "text/html; charset=UTF-8"),), message.encode())
            raise Refused(404, "notFound", message)
        self.check_generation(request, bucket, name)
        answer = self._found(request, bucket, name)
        if self.settings.changes_metadata and name in bucket.objects:
            bucket.objects.metagenerations[name] += 1
        return answer

    def _found(self, request: ServerRequest, bucket: GcsBucket, name: str) -> ServerResponse:
        verbs: dict[str, Callable[[], ServerResponse]] = {
            "GET": lambda: (self._media(request, bucket, name) if request.query.get("alt") == "media"
                            else json_answer(self.resource(bucket, name))),
            "DELETE": lambda: self._delete(bucket, name)}
        if request.method not in verbs:
            raise Refused(405, "methodNotAllowed")
        return verbs[request.method]()

    def check_generation(self, request: ServerRequest, bucket: GcsBucket, name: str,
                         parameter: str = "ifGenerationMatch") -> None:
        wanted = request.query.get(parameter)
        there = bucket.objects.generations[name] if name in bucket.objects else 0
        if wanted is not None and int(wanted) != there and not self.settings.ignores_conditions:
            raise Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")

    def resource(self, bucket: GcsBucket, name: str) -> dict[str, Any]:
        """As it is shown, without the fields that are hidden."""
        resource = self._all_of(bucket, name)
        return {field: value for field, value in resource.items() if field not in self.settings.resource_hidden}

    def _all_of(self, bucket: GcsBucket, name: str) -> dict[str, Any]:
        stored, generation = bucket.objects[name], bucket.objects.generations[name]
        metageneration = bucket.objects.metagenerations[name]
        moment = datetime.fromtimestamp(stored.modified, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        resource: dict[str, Any] = {
            "kind": "storage#object", "name": name, "size": str(len(stored.content)), "generation": str(generation),
            "metageneration": str(metageneration), "etag": _etag(generation, metageneration), "updated": moment,
            "crc32c": stored.checksums.get("crc32c", checksum("crc32c", stored.content)),
            "storageClass": stored.headers.get("x-goog-storage-class", "STANDARD")}
        components = stored.headers.get("x-goog-component-count")
        if components is None:
            resource["md5Hash"] = stored.checksums.get("md5", checksum("md5", stored.content))
        else:
            resource["componentCount"] = int(components)
        resource.update((fields, stored.headers[header]) for fields, header in _HEADER_OF.items()
                        if header in stored.headers)
        metadata = {key[12:]: value for key, value in stored.headers.items() if key.startswith("x-goog-meta-")}
        return {**resource, "metadata": metadata} if metadata else resource

    def _media(self, request: ServerRequest, bucket: GcsBucket, name: str) -> ServerResponse:
        stored, resource = bucket.objects[name], self._all_of(bucket, name)
        encoding = stored.headers.get("content-encoding", "")
        hashes = [f"{label}={resource[key]}" for label, key in (("crc32c", "crc32c"), ("md5", "md5Hash"))
                  if key in resource]
        etag = {"resource": resource["etag"], "quoted": f'"{resource["etag"]}"', "none": "",
                "md5": f'"{hashlib.md5(stored.content).hexdigest()}"'}[self.settings.media_etag]
        headers: Headers = (
            ("X-Goog-Generation", resource["generation"]), ("X-Goog-Metageneration", resource["metageneration"]),
            ("X-Goog-Storage-Class", resource["storageClass"]), *(("X-Goog-Hash", value) for value in hashes),
            ("X-Goog-Stored-Content-Encoding", encoding or "identity"),
            ("X-Goog-Stored-Content-Length", resource["size"]), *((("ETag", etag),) if etag else ()))
        headers = tuple((key, value) for key, value in headers if key.lower() not in self.settings.media_hidden)
        # Metadata of the object's own is not told here, unlike in the XML API (Go client's Reader.Metadata).
        own = tuple((key, value) for key, value in stored.headers.items()
                    if key != "x-goog-storage-class" and not key.startswith("x-goog-meta-"))
        accepts = "gzip" in (request.header("accept-encoding") or "")
        if encoding == "gzip" and (self.settings.transcodes or not accepts):
            # Decompressive transcoding: ranges are ignored, and the hashes are still those of the stored bytes.
            kept = tuple(header for header in own if header[0] != "content-encoding")
            return ServerResponse(200, (*headers, *kept), gzip.decompress(stored.content))
        answer = object_response.read(request, StoredObject(stored.content, ""))
        if self.settings.compresses and not encoding and answer.status == 200:
            return ServerResponse(200, (*headers, *own, ("Content-Encoding", "gzip")), gzip.compress(stored.content))
        return ServerResponse(answer.status, (*headers, *own, *answer.headers), answer.body)

    def _delete(self, bucket: GcsBucket, name: str) -> ServerResponse:
        del bucket.objects[name]
        return ServerResponse(204)

    def _list(self, request: ServerRequest, bucket_name: str, bucket: GcsBucket) -> ServerResponse:
        query = request.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        start = max(query.get("startOffset", ""), query.get("pageToken", "").removeprefix("from:"), key=_order)
        most = min(int(query.get("maxResults", "1000")), self.settings.page_size)
        items: list[dict[str, Any]] = []
        prefixes: list[str] = []
        for name in sorted(bucket.objects, key=_order):
            if not name.startswith(prefix) or _order(name) < _order(start):
                continue
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            directory = name[:cut + 1] if cut >= 0 else None
            if directory in prefixes:
                continue
            if len(items) + len(prefixes) == most:
                return json_answer({"items": items, "prefixes": prefixes, "nextPageToken": f"from:{name}"})
            if directory is not None:
                prefixes.append(directory)
            else:
                items.append(self.resource(bucket, name))
        found = {"kind": "storage#objects", **({"items": items} if items else {}),
                 **({"prefixes": prefixes} if prefixes else {})}
        return json_answer(found)

    # ---- writing

    def store(self, bucket: GcsBucket, name: str, content: bytes, resource: dict[str, Any],
              **more: str) -> ServerResponse:
        """Keep an object. Raises Refused where a digest sent along is another one."""
        for field_name, algorithm in (("crc32c", "crc32c"), ("md5Hash", "md5")):
            given = resource.get(field_name)
            if given is not None and given != checksum(algorithm, content):
                raise Refused(400, "invalid", f"Provided {algorithm.upper()} \"{given}\" doesn't match calculated "
                                              f"{algorithm.upper()} \"{checksum(algorithm, content)}\".")
        headers = {header: resource[key] for key, header in _HEADER_OF.items() if key in resource}
        headers.setdefault("content-type", "application/octet-stream")
        if "storageClass" in resource:
            headers["x-goog-storage-class"] = resource["storageClass"]
        headers.update((f"x-goog-meta-{key}", value) for key, value in (resource.get("metadata") or {}).items())
        headers.update(more)
        bucket.objects[name] = StoredObject(content, "", headers)
        return json_answer(self.resource(bucket, name))

    def _upload(self, request: ServerRequest, bucket: GcsBucket) -> ServerResponse:
        query = request.query
        if "upload_id" in query:
            return self._session(request, bucket, query["upload_id"])
        if query.get("uploadType") == "multipart":
            resource, content = parse_related(request)
            self.check_generation(request, bucket, query["name"])
            return self.store(bucket, query["name"], content, resource)
        if query.get("uploadType") != "resumable":
            raise Refused(400, "invalid")
        self.check_generation(request, bucket, query["name"])
        upload_id = uuid.uuid4().hex
        bucket.sessions[upload_id] = Session(query["name"], json.loads(request.body), request.query)
        return ServerResponse(200, (("Location", f"https://somewhere.else{request.target}&upload_id={upload_id}"),))

    def _session(self, request: ServerRequest, bucket: GcsBucket, upload_id: str) -> ServerResponse:
        session = bucket.sessions.get(upload_id)
        if session is None:
            raise Refused(404, "notFound")
        if request.method == "DELETE":
            del bucket.sessions[upload_id]
            return ServerResponse(499)
        if session.done:
            return json_answer(self.resource(bucket, session.name))
        begin, total = upload_span(request, session)
        if begin is not None:
            self._keep(session, request.body, begin)
        if total is None or len(session.content) < total:
            held = (("Range", f"bytes=0-{len(session.content) - 1}"),) if session.content else ()
            return ServerResponse(308, held)
        self.check_generation(ServerRequest("PUT", f"/?{session.condition}", ()), bucket, session.name)
        session.done = True
        return self.store(bucket, session.name, bytes(session.content), session.resource)

    def _keep(self, session: Session, body: bytes, begin: int) -> None:
        new = body[len(session.content) - begin:]  # bytes that are there already are ignored
        if self.settings.session_bytes:
            new = new[:self.settings.session_bytes]
        session.content += new

    # ---- objects made of objects

    def _compose(self, request: ServerRequest, bucket: GcsBucket, name: str) -> ServerResponse:
        document = json.loads(request.body)
        sources = document["sourceObjects"]
        if not 0 < len(sources) <= 32:
            raise Refused(400, "invalid", "The number of source components provided is not in 1..32")
        for source in sources:
            there = bucket.objects.generations.get(source["name"]) if source["name"] in bucket.objects else None
            if there is None or str(there) != source.get("generation", str(there)):
                raise Refused(404, "notFound", f"No such object: {source['name']}")
        self.check_generation(request, bucket, name)
        parts = [bucket.objects[source["name"]] for source in sources]
        count = sum(int(part.headers.get("x-goog-component-count", "1")) for part in parts)
        return self.store(bucket, name, b"".join(part.content for part in parts), document["destination"],
                          **{"x-goog-component-count": str(count)})

    def _rewrite(self, request: ServerRequest, bucket: GcsBucket, name: str, operation: str) -> ServerResponse:
        match = _COPY.fullmatch(operation)
        if match is None:
            raise Refused(404, "notFound")
        target = self.buckets.get(unquote(match[1]))
        if target is None:
            raise self._no_bucket(unquote(match[1]))
        if name not in bucket.objects:
            raise Refused(404, "notFound", f"No such object: {name}")
        self.check_generation(request, bucket, name, "ifSourceGenerationMatch")
        self.check_generation(request, target, unquote(match[2]))
        stored = bucket.objects[name]
        done = self._rewrites.pop(request.query.get("rewriteToken", ""), 0)
        done += self.settings.rewrite_bytes or len(stored.content)
        if done < len(stored.content):
            token = uuid.uuid4().hex
            self._rewrites[token] = done
            return json_answer({"done": False, "rewriteToken": token, "totalBytesRewritten": str(done)})
        given = json.loads(request.body) if request.body else self.resource(bucket, name)
        self.store(target, unquote(match[2]), stored.content, given)
        return json_answer({"done": True, "resource": self.resource(target, unquote(match[2]))})

    # ---- batches

    def _batch(self, request: ServerRequest) -> ServerResponse:
        parts = []
        if self.settings.batch_status != 200:
            raise Refused(self.settings.batch_status, "notImplemented", "This server knows no batches.")
        inner = parse_batch(request)
        if len(inner) > 100:
            raise Refused(400, "invalid", "A batch holds 100 requests")
        for content_id, part in inner:
            answer = self._batched(part)
            head = answer.head().decode().rstrip("\r\n")
            parts.append(f"--batch_answer\r\nContent-Type: application/http\r\nContent-ID: <response-{content_id}>\r\n"
                         f"\r\n{head}\r\n\r\n{answer.body.decode()}\r\n")
        body = "".join(reversed(parts)) + "--batch_answer--\r\n"  # the order is not promised
        return ServerResponse(200, (("Content-Type", "multipart/mixed; boundary=batch_answer"),), body.encode())

    def _batched(self, part: ServerRequest) -> ServerResponse:
        refusals = self.settings.delete_refusals.get(self.locate(part)[1])
        try:
            if refusals:
                raise Refused(*refusals.pop(0))
            return self._dispatch(part)
        except Refused as refused:
            return refused.answer()


def _etag(generation: int, metageneration: int) -> str:
    return f"C{generation:x}EA{metageneration}="


def _order(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
