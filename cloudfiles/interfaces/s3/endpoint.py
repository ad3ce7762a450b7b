"""The address of a bucket: host, path and region. Regions reported by servers are cached for the process.

Source: S3 User Guide, "Virtual hosting of buckets"; AWS General Reference, "Amazon S3 endpoints".
"""

from __future__ import annotations

import re
import urllib.parse

from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.transport.request import Origin
from cloudfiles.values import NamedTuple

DEFAULT_REGION = "us-east-1"

# s3.amazonaws.com, s3.eu-west-1.amazonaws.com, s3-eu-west-1..., s3.dualstack.eu-west-1..., s3-fips..., China's .cn
_AWS = re.compile(r"(?P<service>s3(?:-fips)?(?:\.dualstack)?)(?:[.-](?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+))?"
                  r"\.amazonaws\.com(?:\.cn)?")
_REGION_IN_HOST = re.compile(r"s3[.-](?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+)\.")
_HOST_LABEL = re.compile(r"[a-z0-9][a-z0-9\-]{1,61}[a-z0-9]")

_regions: dict[tuple[str | None, str], str] = {}  # (endpoint, bucket) -> region reported by the server


class Endpoint(NamedTuple):
    """The address of a bucket.

    Attributes:
        bucket: its name.
        url: the URL of the service, if configured; None for AWS.
        region: the region used in signatures.
        origin: the origin that requests are sent to.
        base: the part of targets before the key, with a trailing slash.
    """

    bucket: str
    url: str | None
    region: str
    origin: Origin
    base: str

    @property
    def is_aws(self) -> bool:
        return self.origin.host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def bucket_target(self) -> str:
        """The target of the bucket itself; in virtual-hosted style, only a slash."""
        return self.base[:-1] or "/"

    def in_region(self, region: str) -> Endpoint:
        """The same bucket in `region`, which is remembered for later interfaces."""
        _regions[self.url, self.bucket] = region
        return _endpoint(self.bucket, self.url, region)


def find_endpoint(bucket: str, url: str | None, region: str | None) -> Endpoint:
    """The address of `bucket`.

    url: the URL of the service, with its path if it has one; None for AWS.
    region: as configured, or None. Raises InvalidPathError if `url` is not an http(s) URL.
    """
    return _endpoint(bucket, url, _regions.get((url, bucket)) or region or _region_of(url))


def _endpoint(bucket: str, url: str | None, region: str) -> Endpoint:
    origin = Origin.of(url or f"https://s3.{region}.{_domain(region)}")
    aws = _AWS.fullmatch(origin.host)
    if aws is None:
        path = urllib.parse.urlsplit(url or "").path.rstrip("/")
        return Endpoint(bucket, url, region, origin, f"{path}/{quote_key(bucket)}/")
    host = f"{aws['service']}.{region}.{_domain(region)}"
    # The certificate *.s3.REGION.amazonaws.com does not match names with a dot.
    if _HOST_LABEL.fullmatch(bucket):
        return Endpoint(bucket, url, region, origin._replace(host=f"{bucket}.{host}"), "/")
    return Endpoint(bucket, url, region, origin._replace(host=host), f"/{quote_key(bucket)}/")


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _region_of(url: str | None) -> str:
    """The region in the host name (s3.REGION.example.com), or the default."""
    match = _REGION_IN_HOST.match(Origin.of(url).host) if url else None
    return match["region"] if match else DEFAULT_REGION
