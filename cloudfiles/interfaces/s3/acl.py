"""Who may do what with an object: GetObjectAcl.

Source: Amazon S3 API Reference, GetObjectAcl.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from cloudfiles.interfaces.documents import parse_xml
from cloudfiles.interfaces.s3.bucket import S3Bucket
from cloudfiles.transport.request import Request, Response

_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def read_acl(bucket: S3Bucket, key: str) -> dict[str, Any] | None:
    """`{'Owner': {...}, 'Grants': [{'Grantee': {...}, 'Permission': ...}]}`; None where the object is missing."""
    found: dict[str, Any] | None = bucket.client.send(_AclRequest(
        bucket.origin, "GET", bucket.query_target(key, {"acl": ""}), bucket.headers.copy(), protocol=bucket.protocol,
        path=key))
    return found


class _AclRequest(Request):
    """Gives the list as a dict, None where the object is missing."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, Any] | None:
        if response.status != 200:
            if self.protocol.is_missing(response):
                return None
            raise self.protocol.to_error(self, response)
        document = parse_xml(response, "the access control list", self.path)
        space, _, tag = document.tag.rpartition("}")
        if tag != "AccessControlPolicy":
            raise self.protocol.to_error(self, response)
        space += "}" if space else ""
        grants = [{"Grantee": _grantee(grant.find(f"{space}Grantee")),
                   "Permission": grant.findtext(f"{space}Permission") or ""}
                  for grant in document.iter(f"{space}Grant")]
        return {"Owner": _fields(document.find(f"{space}Owner")), "Grants": grants}


def _grantee(element: ET.Element | None) -> dict[str, str]:
    kind = None if element is None else element.get(_TYPE)
    return _fields(element) | ({"Type": kind} if kind else {})


def _fields(element: ET.Element | None) -> dict[str, str]:
    return {} if element is None else {child.tag.rpartition("}")[2]: child.text or "" for child in element}
