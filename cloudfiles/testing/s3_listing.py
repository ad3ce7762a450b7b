"""ListObjectsV2: a page of keys and common prefixes, with a continuation token."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timezone
from functools import lru_cache
from urllib.parse import quote
from xml.sax.saxutils import escape

from cloudfiles.testing.http_messages import ServerResponse
from cloudfiles.testing.s3_documents import S3Error, xml_response
from cloudfiles.testing.s3_objects import Bucket, StoredObject

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~/-]*")


def list_objects(name: str, bucket: Bucket, query: dict[str, str], page_size: int) -> ServerResponse:
    """One page of a listing. Raises S3Error if the continuation token is invalid."""
    by_url = query.get("encoding-type") == "url"

    def text(value: str) -> str:
        if _UNRESERVED.fullmatch(value):
            return value
        return quote(value, safe="/", errors="surrogateescape") if by_url else escape(value)

    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = min(int(query.get("max-keys", page_size)), page_size)
    begin = _next_key(query["continuation-token"]) if "continuation-token" in query else ""
    page = bucket.objects.page(prefix, delimiter, "" if begin else query.get("start-after", ""), begin, limit)
    parts = ['<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">', f"<Name>{name}</Name>",
             f"<Prefix>{text(prefix)}</Prefix><KeyCount>{len(page.keys) + len(page.prefixes)}</KeyCount>"
             f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{'false' if page.next_key is None else 'true'}</IsTruncated>"]
    parts += [f"<Delimiter>{text(delimiter)}</Delimiter>"] if delimiter else []
    parts += ["<EncodingType>url</EncodingType>"] if by_url else []
    parts += [f"<NextContinuationToken>{_token(page.next_key)}</NextContinuationToken>"] if page.next_key else []
    parts += [_contents(text(key), bucket.objects[key]) for key in page.keys]
    parts += [f"<CommonPrefixes><Prefix>{text(common)}</Prefix></CommonPrefixes>" for common in page.prefixes]
    return xml_response("".join([*parts, "</ListBucketResult>"]))


def _token(next_key: str) -> str:
    return base64.b64encode(next_key.encode("utf-8", "surrogateescape")).decode()


def _next_key(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode("utf-8", "surrogateescape")
    except ValueError as error:
        raise S3Error(400, "InvalidArgument", "The continuation token provided is incorrect") from error


@lru_cache(maxsize=1024)
def _iso_date(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _contents(key: str, stored: StoredObject) -> str:
    return (f"<Contents><Key>{key}</Key><LastModified>{_iso_date(int(stored.modified))}</LastModified>"
            f"<ETag>&quot;{stored.etag}&quot;</ETag><Size>{len(stored.content)}</Size>"
            f"<StorageClass>{stored.headers.get('x-amz-storage-class', 'STANDARD')}</StorageClass></Contents>")
