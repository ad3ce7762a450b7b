"""A bucket with many keys, whose pages come after a delay: ListObjectsV2 alone, without delimiters.

    python -m benchmarks.listing_server PORT KEYS MILLISECONDS

The keys are 000000000, 000000001 and so on. The entries are rendered at the start, so that a page costs the server a
fraction of a millisecond. `/-/` answers with the number of requests since the last time.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gevent
from gevent.server import StreamServer

PAGE = 1000
ENTRY = ("<Contents><Key>{}</Key><LastModified>2026-11-20T00:00:00.000Z</LastModified>"
         "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>4096</Size>"
         "<StorageClass>STANDARD</StorageClass></Contents>")
START = ('<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
         "<Name>lists</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>"
         "<IsTruncated>{more}</IsTruncated>{token}<EncodingType>url</EncodingType>")


class Server:
    """The bucket `lists`, with this many keys."""

    def __init__(self, count: int, seconds: float) -> None:
        self._keys = [f"{number:09d}" for number in range(count)]
        self._entries = [ENTRY.format(key).encode() for key in self._keys]
        self._seconds = seconds
        self._requests = 0

    def serve(self, sock: Any, address: Any) -> None:
        """One connection."""
        received = sock.makefile("rb")
        while line := received.readline():
            while received.readline() not in (b"\r\n", b""):
                pass
            target = line.split()[1].decode()
            if target == "/-/":
                body, self._requests = str(self._requests).encode(), 0
            else:
                self._requests += 1
                gevent.sleep(self._seconds)
                body = self._page({name: values[0] for name, values in parse_qs(urlsplit(target).query).items()})
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%b"
                         % (len(body), body))

    def _page(self, query: dict[str, str]) -> bytes:
        prefix = query.get("prefix", "")
        first = bisect_left(self._keys, prefix)
        last = bisect_left(self._keys, prefix + "\U0010ffff")
        after = query.get("continuation-token") or query.get("start-after") or query.get("marker")
        first = first if after is None else max(first, bisect_right(self._keys, after))
        stop = min(last, first + min(PAGE, int(query.get("max-keys", PAGE))))
        more = stop < last
        token = f"<NextContinuationToken>{self._keys[stop - 1]}</NextContinuationToken>" if more else ""
        start = START.format(prefix=prefix, count=stop - first, more=str(more).lower(), token=token)
        return b"".join([start.encode(), *self._entries[first:stop], b"</ListBucketResult>"])


def main() -> None:
    port, count, milliseconds = sys.argv[1:]
    server = Server(int(count), float(milliseconds) / 1000)
    StreamServer(("127.0.0.1", int(port)), server.serve, backlog=256).serve_forever()


if __name__ == "__main__":
    main()
