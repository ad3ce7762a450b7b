"""Requests of S3's REST interface, and of plain web pages, answered from memory; no sockets.

Source: Amazon S3 API Reference.
"""

from __future__ import annotations

import time
import uuid
from xml.sax.saxutils import escape

from cloudfiles.testing import object_response
from cloudfiles.testing.http_messages import ServerRequest, ServerResponse, http_date
from cloudfiles.testing.s3_documents import S3Error, child_text, children, error_xml, xml_response
from cloudfiles.testing.s3_listing import list_objects
from cloudfiles.testing.s3_objects import ALGORITHMS, Bucket, StoredObject, Upload, checksum, make_object, md5_hex
from cloudfiles.testing.s3_settings import S3Settings
from cloudfiles.testing.s3_signatures import is_signed, verify, verify_payload

_KEPT = frozenset({"content-type", "content-encoding", "cache-control", "content-disposition", "content-language",
                   "expires", "x-amz-storage-class"})
_CHECKSUMS = {name: f"x-amz-checksum-{name}" for name in ALGORITHMS}
_BUCKET_QUERIES = frozenset({"delete", "location", "list-type"})


def kept_headers(request: ServerRequest) -> dict[str, str]:
    """The headers of an upload that belong to the object."""
    return {name: value for name, value in request.headers if name in _KEPT or name.startswith("x-amz-meta-")}


def verified_checksums(request: ServerRequest) -> dict[str, str]:
    """The upload's checksums by algorithm. Raises S3Error if a digest does not match the body."""
    md5 = request.header("content-md5")
    if md5 is not None and checksum("md5", request.body) != md5:
        raise S3Error(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    given = {name: value for name, header in _CHECKSUMS.items() if (value := request.header(header)) is not None}
    for name, value in given.items():
        if checksum(name, request.body) != value:
            raise S3Error(400, "BadDigest", f"The {name} you specified did not match the calculated checksum.")
    verify_payload(request)
    return given


class S3Service:
    """Buckets and web pages, and what requests do to them. Web pages are the objects of the bucket named ''."""

    def __init__(self) -> None:
        self.settings = S3Settings()
        self.buckets: dict[str, Bucket] = {"": Bucket(), "bucket": Bucket()}
        self._responses = 0

    def date_header(self) -> tuple[str, str]:
        """The server's time."""
        return "Date", http_date(int(time.time() + self.settings.clock_offset))

    def locate(self, request: ServerRequest) -> tuple[str, str]:
        """Bucket and key of a request, by host name or by path; ('', path) of a web page."""
        host = (request.header("host") or "").partition(":")[0]
        label, dot, _ = host.partition(".")
        if dot and label in self.buckets and not host.replace(".", "").isdigit():
            return label, self._key(request, 1)
        name, slash, _ = request.path[1:].partition("/")
        if name and name not in self.buckets and self.settings.create_buckets and is_signed(request):
            self.buckets[name] = Bucket()
        if name and name in self.buckets:
            return name, self._key(request, 2 + len(name)) if slash else ""
        return "", request.path[1:]

    @staticmethod
    def _key(request: ServerRequest, skip: int) -> str:
        # S3 reads an unencoded `+` in a path as a space.
        if "+" not in request.raw_path:
            return request.path[skip:]
        return ServerRequest("", request.raw_path.replace("+", "%20"), ()).path[skip:]

    def respond(self, request: ServerRequest) -> ServerResponse:
        """The correct response."""
        try:
            response = self._dispatch(request)
        except S3Error as error:
            response = error.response()
        self._responses += 1
        response.headers = (*response.headers, self.date_header(), ("x-amz-request-id", f"{self._responses:016X}"))
        if request.method == "HEAD" and response.announced_length is None:
            response.announced_length, response.body = len(response.body), b""
        return response

    def _dispatch(self, request: ServerRequest) -> ServerResponse:
        name, key = self.locate(request)
        if not name and not is_signed(request):
            return self._web_page(request, key)
        if self.settings.secret_key is not None:
            verify(request, self.settings, name or key)
        if not name:
            return self._missing_bucket(request, key)
        self._check_region(name)
        return self._object(request, name, key) if key else self._bucket(request, name)

    def _check_region(self, name: str) -> None:
        region = self.settings.bucket_regions.get(name)
        if self.settings.secret_key is None and region not in (None, self.settings.region):
            raise S3Error(301, "PermanentRedirect", headers=(("x-amz-bucket-region", str(region)),))

    # ---- web pages

    def _web_page(self, request: ServerRequest, path: str) -> ServerResponse:
        pages = self.buckets[""].objects
        if request.method in ("GET", "HEAD"):
            if path in pages:
                return object_response.read(request, pages[path])
            return ServerResponse(404, (("Content-Type", "text/plain"),), b"not found\n")
        if self.settings.read_only:
            return ServerResponse(405, (("Allow", "GET, HEAD"),))
        return self._object(request, "", path)

    # ---- buckets

    def _missing_bucket(self, request: ServerRequest, name: str) -> ServerResponse:
        if name and "/" not in name and request.method == "PUT":
            self.buckets[name] = Bucket()
            return ServerResponse(200, (("Location", f"/{name}"),))
        if not name and request.method == "GET":
            names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in self.buckets if name)
            return xml_response(f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>")
        raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")

    def _bucket(self, request: ServerRequest, name: str) -> ServerResponse:
        bucket, query = self.buckets[name], request.query
        region = self.settings.bucket_regions.get(name, self.settings.region)
        if request.method == "HEAD":
            return ServerResponse(200, (("x-amz-bucket-region", region),))
        if request.method == "PUT":
            raise S3Error(409, "BucketAlreadyOwnedByYou")
        if request.method == "DELETE":
            if bucket.objects:
                raise S3Error(409, "BucketNotEmpty")
            del self.buckets[name]
            return ServerResponse(204)
        if request.method == "POST" and "delete" in query:
            return self._bulk_delete(request, bucket)
        if request.method == "GET" and "location" in query:
            return xml_response(f"<LocationConstraint>{region}</LocationConstraint>")
        if request.method == "GET" and "uploads" in query:
            return self._list_uploads(name, bucket)
        if request.method == "GET" and query.get("list-type") == "2":
            return list_objects(name, bucket, query, self.settings.page_size)
        raise S3Error(501, "NotImplemented", "Only ListObjectsV2 is implemented")

    def _bulk_delete(self, request: ServerRequest, bucket: Bucket) -> ServerResponse:
        if not verified_checksums(request) and request.header("content-md5") is None:
            raise S3Error(400, "InvalidRequest", "Missing required header for this request: Content-MD5 or a checksum")
        root, objects = children(request.body, "Object")
        keys = [child_text(element, "Key") for element in objects]
        if not 0 < len(keys) <= 1000:
            raise S3Error(400, "MalformedXML", "A bulk delete names 1 to 1000 keys")
        quiet = child_text(root, "Quiet").strip() == "true"
        results = []
        for key in keys:
            code = self.settings.delete_errors.get(key)
            if code is not None:
                results.append(error_xml(code, Key=key))
            else:
                bucket.objects.pop(key, None)
                results.append("" if quiet else f"<Deleted><Key>{escape(key)}</Key></Deleted>")
        return xml_response(f"<DeleteResult>{''.join(results)}</DeleteResult>")

    def _list_uploads(self, name: str, bucket: Bucket) -> ServerResponse:
        uploads = "".join(f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{upload_id}</UploadId></Upload>"
                          for upload_id, upload in bucket.uploads.items())
        return xml_response(f"<ListMultipartUploadsResult><Bucket>{name}</Bucket><IsTruncated>false</IsTruncated>"
                            f"{uploads}</ListMultipartUploadsResult>")

    # ---- objects

    def _object(self, request: ServerRequest, name: str, key: str) -> ServerResponse:
        bucket, query = self.buckets[name], request.query
        if "uploads" in query or "uploadId" in query:
            return self._multipart(request, name, bucket, key)
        if not _BUCKET_QUERIES.isdisjoint(query):
            raise S3Error(501, "NotImplemented", f"not implemented for objects: {sorted(query)}")
        if request.method in ("GET", "HEAD"):
            return self._get(request, bucket, key)
        if request.method == "PUT":
            return self._put(request, bucket, key)
        if request.method == "DELETE":
            bucket.objects.pop(key, None)
            return ServerResponse(204)
        raise S3Error(405, "MethodNotAllowed")

    def _get(self, request: ServerRequest, bucket: Bucket, key: str) -> ServerResponse:
        stored = bucket.objects.get(key)
        if stored is None:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
        return object_response.read(request, stored)

    def _put(self, request: ServerRequest, bucket: Bucket, key: str) -> ServerResponse:
        if len(key.encode("utf-8", "surrogateescape")) > 1024:
            raise S3Error(400, "KeyTooLongError")
        if request.header("x-amz-copy-source") is not None:
            return self._copy(request, bucket, key)
        checksums = verified_checksums(request)
        object_response.check_write(request, bucket.objects.get(key))
        if not checksums and self.settings.default_checksum:
            name = self.settings.default_checksum
            checksums = {name: checksum(name, request.body)}
        stored = make_object(request.body, kept_headers(request), checksums=checksums)
        bucket.objects[key] = stored
        return ServerResponse(200, (("ETag", f'"{stored.etag}"'), *_checksum_headers(checksums)))

    def _copy_source(self, request: ServerRequest) -> StoredObject:
        source = ServerRequest("GET", "/" + (request.header("x-amz-copy-source") or "").lstrip("/"), ())
        name, source_key = self.locate(source)
        stored = self.buckets[name].objects.get(source_key)
        if stored is None:
            raise S3Error(404, "NoSuchKey")
        if (request.header("x-amz-copy-source-if-match") or stored.etag).strip('"') != stored.etag:
            raise S3Error(412, "PreconditionFailed")
        return stored

    def _copy(self, request: ServerRequest, bucket: Bucket, key: str) -> ServerResponse:
        stored = self._copy_source(request)
        replace = request.header("x-amz-metadata-directive") == "REPLACE"
        bucket.objects[key] = StoredObject(stored.content, stored.etag,
                                           kept_headers(request) if replace else stored.headers, stored.checksums)
        return xml_response(f"<CopyObjectResult><ETag>&quot;{stored.etag}&quot;</ETag></CopyObjectResult>")

    # ---- multipart uploads

    def _multipart(self, request: ServerRequest, name: str, bucket: Bucket, key: str) -> ServerResponse:
        if request.method == "POST" and "uploads" in request.query:
            return self._create_upload(request, name, bucket, key)
        upload_id = request.query.get("uploadId", "")
        upload = bucket.uploads.get(upload_id)
        if upload is None or upload.key != key:
            raise S3Error(404, "NoSuchUpload")
        if request.method == "PUT":
            return self._upload_part(request, upload)
        if request.method == "POST":
            return self._complete(request, name, bucket, upload_id)
        if request.method == "DELETE":
            del bucket.uploads[upload_id]
            return ServerResponse(204)
        return self._list_parts(upload)

    def _create_upload(self, request: ServerRequest, name: str, bucket: Bucket, key: str) -> ServerResponse:
        algorithm = (request.header("x-amz-checksum-algorithm") or "").lower() or None
        kind = request.header("x-amz-checksum-type") or ("FULL_OBJECT" if algorithm == "crc64nvme" else "COMPOSITE")
        upload_id = uuid.uuid4().hex
        bucket.uploads[upload_id] = Upload(key, kept_headers(request), algorithm, kind == "FULL_OBJECT")
        return xml_response(f"<InitiateMultipartUploadResult><Bucket>{name}</Bucket><Key>{escape(key)}</Key>"
                            f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>")

    def _upload_part(self, request: ServerRequest, upload: Upload) -> ServerResponse:
        number = int(request.query.get("partNumber", "0"))
        if not 1 <= number <= 10_000:
            raise S3Error(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
        if request.header("x-amz-copy-source") is not None:
            return self._copy_part(request, upload, number)
        checksums = verified_checksums(request)
        upload.parts[number] = request.body
        return ServerResponse(200, (("ETag", f'"{md5_hex(request.body)}"'), *_checksum_headers(checksums)))

    def _copy_part(self, request: ServerRequest, upload: Upload, number: int) -> ServerResponse:
        content = self._copy_source(request).content
        first, _, last = (request.header("x-amz-copy-source-range") or f"bytes=0-{len(content) - 1}")[6:].partition("-")
        if int(last) >= len(content):
            raise S3Error(400, "InvalidArgument", "Range specified is not valid for source object")
        part = upload.parts[number] = content[int(first):int(last) + 1]
        return xml_response(f"<CopyPartResult><ETag>&quot;{md5_hex(part)}&quot;</ETag></CopyPartResult>")

    def _complete(self, request: ServerRequest, name: str, bucket: Bucket, upload_id: str) -> ServerResponse:
        upload = bucket.uploads[upload_id]
        numbers = self._completed_parts(request, upload)
        object_response.check_write(request, bucket.objects.get(upload.key))
        stored = bucket.objects[upload.key] = upload.join(numbers)
        del bucket.uploads[upload_id]
        sums = "".join(f"<Checksum{k.upper()}>{v}</Checksum{k.upper()}>" for k, v in stored.checksums.items())
        return xml_response(f"<CompleteMultipartUploadResult><Bucket>{name}</Bucket><Key>{escape(upload.key)}</Key>"
                            f"<ETag>&quot;{stored.etag}&quot;</ETag>{sums}</CompleteMultipartUploadResult>")

    def _completed_parts(self, request: ServerRequest, upload: Upload) -> list[int]:
        """The numbers of the parts that a completion names. Raises S3Error if they cannot make an object."""
        named = [(int(child_text(part, "PartNumber")), child_text(part, "ETag").strip('"'))
                 for part in children(request.body, "Part")[1]]
        numbers = [number for number, _ in named]
        if not named:
            raise S3Error(400, "MalformedXML", "A completion names at least one part")
        if numbers != sorted(set(numbers)):
            raise S3Error(400, "InvalidPartOrder")
        if any(number not in upload.parts or md5_hex(upload.parts[number]) != etag for number, etag in named):
            raise S3Error(400, "InvalidPart")
        if any(len(upload.parts[number]) < self.settings.min_part_size for number in numbers[:-1]):
            raise S3Error(400, "EntityTooSmall")
        return numbers

    def _list_parts(self, upload: Upload) -> ServerResponse:
        parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>&quot;{md5_hex(content)}&quot;</ETag>"
                        f"<Size>{len(content)}</Size></Part>" for n, content in sorted(upload.parts.items()))
        return xml_response(f"<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>")


def _checksum_headers(checksums: dict[str, str]) -> list[tuple[str, str]]:
    return [(_CHECKSUMS[name], value) for name, value in checksums.items()]
