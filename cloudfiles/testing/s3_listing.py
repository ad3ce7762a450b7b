"""ListObjectsV2: pages in the order of the keys' UTF-8 bytes, with common prefixes and continuation."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote
from xml.sax.saxutils import escape

from cloudfiles.testing.http_messages import S3Error, ServerResponse, xml_answer
from cloudfiles.testing.s3_objects import Bucket, StoredObject


def _order(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


Entry = tuple[str, bool]  # a key and False, or a common prefix and True


def _entries(keys: list[str], prefix: str, delimiter: str, after: Entry) -> Iterator[Entry]:
    """What stands in a listing, in order, beyond `after`.

    After a key comes the next key; after a common prefix the first key that it does not stand for.
    """
    bound = _order(after[0])
    previous = after[0] if after[1] else None
    for key in keys:
        if not key.startswith(prefix) or _order(key) <= bound:
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry, is_prefix = (key, False) if cut < 0 else (key[:cut + len(delimiter)], True)
        if is_prefix and entry == previous:
            continue
        previous = entry if is_prefix else None
        yield entry, is_prefix


def _token(entry: Entry) -> str:
    return base64.b64encode((b"P" if entry[1] else b"K") + _order(entry[0])).decode()


def _after(query: dict[str, str]) -> Entry:
    token = query.get("continuation-token")
    if token is None:
        return query.get("start-after", ""), False
    try:
        text = base64.b64decode(token, validate=True).decode("utf-8", "surrogateescape")
        return text[1:], text[0] == "P"
    except (ValueError, IndexError) as error:
        raise S3Error(400, "InvalidArgument", "The continuation token provided is incorrect") from error


def _isoformat(timestamp: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def list_objects(name: str, bucket: Bucket, query: dict[str, str], page_size: int) -> ServerResponse:
    """One page of a listing."""
    by_url = query.get("encoding-type") == "url"

    def text(value: str) -> str:
        return quote(value, safe="/", errors="surrogateescape") if by_url else escape(value)

    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = min(int(query.get("max-keys", page_size)), page_size)
    entries = _entries(sorted(bucket.objects, key=_order), prefix, delimiter, _after(query))
    page = list(islice(entries, limit))
    more = limit > 0 and next(entries, None) is not None
    parts = ['<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">', f"<Name>{name}</Name>",
             f"<Prefix>{text(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>{limit}</MaxKeys>",
             f"<IsTruncated>{str(more).lower()}</IsTruncated>"]
    parts += [f"<Delimiter>{text(delimiter)}</Delimiter>"] if delimiter else []
    parts += ["<EncodingType>url</EncodingType>"] if by_url else []
    parts += [f"<NextContinuationToken>{_token(page[-1])}</NextContinuationToken>"] if more else []
    parts += [_contents(text(key), bucket.objects[key]) for key, is_prefix in page if not is_prefix]
    parts += [f"<CommonPrefixes><Prefix>{text(entry)}</Prefix></CommonPrefixes>" for entry, is_prefix in page
              if is_prefix]
    return xml_answer("".join([*parts, "</ListBucketResult>"]))


def _contents(key: str, stored: StoredObject) -> str:
    storage_class = stored.headers.get("x-amz-storage-class", "STANDARD")
    return (f"<Contents><Key>{key}</Key><LastModified>{_isoformat(stored.modified)}</LastModified>"
            f"<ETag>&quot;{stored.etag}&quot;</ETag><Size>{len(stored.content)}</Size>"
            f"<StorageClass>{storage_class}</StorageClass></Contents>")
