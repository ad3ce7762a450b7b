"""boto3: one call per key on 20 threads, and its transfer manager for large objects."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.clients.base import FIRST_OBJECT, FIRST_OBJECT_TLS, Items, Target, ThreadedClient

PAGE = 1000  # keys in one DeleteObjects request, the most S3 allows


class Boto(ThreadedClient):
    """One client shared by the threads, with a pool of the same size and without checksum trailers."""

    name = "boto3, 20 threads"
    needs = ("boto3",)
    statement: ClassVar[str | None] = "import boto3"
    starts: ClassVar[Mapping[str, str]] = {
        label: f"import boto3; boto3.client('s3', endpoint_url='{{{endpoint}}}')"
               ".get_object(Bucket='{bucket}', Key='{key}')['Body'].read()"
        for label, endpoint in ((FIRST_OBJECT, "endpoint"), (FIRST_OBJECT_TLS, "tls_endpoint"))}

    def setup(self, target: Target) -> None:
        import boto3
        from botocore.config import Config

        self.start(target)
        self.target = target
        equal: dict[str, Any] = {"max_pool_connections": target.connections, "signature_version": "s3v4",
                                 "s3": {"addressing_style": "path"}, "retries": {"max_attempts": 2, "mode": "standard"},
                                 "request_checksum_calculation": "when_required",
                                 "response_checksum_validation": "when_required"}
        config = Config(**equal if target.connections else {})
        self.s3 = boto3.client("s3", endpoint_url=target.endpoint, region_name=target.region, config=config,
                               aws_access_key_id=target.access_key, aws_secret_access_key=target.secret_key,
                               verify=target.ca_file or None)

    def _get(self, key: str) -> bytes:
        answer = self.s3.get_object(Bucket=self.target.bucket, Key=self.target.key(key))
        content: bytes = answer["Body"].read()
        return content

    def get(self, keys: Sequence[str]) -> list[bytes]:
        return self.each(self._get, keys)

    def get_decoded(self, keys: Sequence[str]) -> list[bytes]:
        return self.each(lambda key: gzip.decompress(self._get(key)), keys)

    def _put(self, item: tuple[str, bytes]) -> None:
        self.s3.put_object(Bucket=self.target.bucket, Key=self.target.key(item[0]), Body=item[1])

    def put(self, items: Items) -> None:
        self.each(self._put, items)

    def _exists(self, key: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self.s3.head_object(Bucket=self.target.bucket, Key=self.target.key(key))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return self.each(self._exists, keys)

    def list(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.target.bucket, Prefix=self.target.prefix + "/")
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def _delete(self, keys: Sequence[str]) -> None:
        listed = [{"Key": self.target.key(key)} for key in keys]
        answer = self.s3.delete_objects(Bucket=self.target.bucket, Delete={"Objects": listed, "Quiet": True})
        if answer.get("Errors"):
            raise RuntimeError(f"{len(answer['Errors'])} keys were not deleted")

    def delete(self, keys: Sequence[str]) -> None:
        self.each(self._delete, [keys[i:i + PAGE] for i in range(0, len(keys), PAGE)])

    def get_big(self, key: str) -> bytes:
        return self._get(key)

    def put_big(self, key: str, content: bytes) -> None:
        self._put((key, content))


class Defaults(Boto):
    """As many threads as its pool and its transfer manager have connections by default: it has no call for many."""

    name = "boto3, 10 threads"
    statement = None
    width = 10
    equal = False


class Transfer(Boto):
    """`download_fileobj` and `upload_fileobj` with the default configuration, to and from memory."""

    name = "boto3, transfer"
    statement = None
    hides = frozenset({"get", "get_decoded", "put", "exists", "list", "delete"})  # the same calls as on threads

    def get_big(self, key: str) -> Any:
        content = io.BytesIO()
        self.s3.download_fileobj(self.target.bucket, self.target.key(key), content)
        return content.getbuffer()

    def put_big(self, key: str, content: bytes) -> None:
        self.s3.upload_fileobj(io.BytesIO(content), self.target.bucket, self.target.key(key))

    def download(self, keys: Sequence[str]) -> None:
        fetched = f"{self.target.scratch}/fetched"
        self.each(lambda key: self.s3.download_file(self.target.bucket, self.target.key(key), f"{fetched}/{key}"), keys)

    def upload(self, keys: Sequence[str]) -> None:
        source = f"{self.target.scratch}/source"
        self.each(lambda key: self.s3.upload_file(f"{source}/{key}", self.target.bucket, self.target.key(key)), keys)

    def copy_within(self, keys: Sequence[str]) -> None:
        bucket, key_of = self.target.bucket, self.target.key
        self.each(lambda key: self.s3.copy({"Bucket": bucket, "Key": key_of(key)}, bucket, key_of(f"copies/{key}")),
                  keys)
