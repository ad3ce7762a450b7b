"""How the S3 server behaves when no fault is scripted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class S3Settings:
    """Settings of an `S3Server`, changed by `S3Server.configure`.

    Attributes:
        access_key: the key ID of `S3Server.secrets`.
        secret_key: requests must be signed with it (Signature Version 4, in headers or presigned), which takes
            `pip install 'cloudfiles[s3]'`. None checks no signatures.
        session_token: the value that x-amz-security-token must have; None accepts any.
        region: the region of all buckets but those of `bucket_regions`.
        clock_offset: seconds by which the server's clock is ahead of the real one.
        bucket_regions: region by bucket; signed requests for another region fail with 400 or 301.
        create_buckets: signed requests create the bucket that they name.
        default_checksum: algorithm of the checksum that the server computes of objects put without one, such as
            'crc64nvme', which AWS computes. None computes none.
        min_part_size: minimum size of the parts of a multipart upload but the last, in bytes; 5 MiB on AWS.
        page_size: maximum number of keys in a page of a listing.
        delete_errors: error code by key, reported by bulk deletes.
        read_only: PUT and DELETE of plain web pages fail with 405.
        record: requests are recorded for `S3Server.requests`, about 1 KB of memory each.
    """

    access_key: str = "AKIAEXAMPLE0000"
    secret_key: str | None = None
    session_token: str | None = None
    region: str = "us-east-1"
    clock_offset: float = 0.0
    bucket_regions: dict[str, str] = field(default_factory=dict)
    create_buckets: bool = False
    default_checksum: str | None = None
    min_part_size: int = 0
    page_size: int = 1000
    delete_errors: dict[str, str] = field(default_factory=dict)
    read_only: bool = True
    record: bool = True
