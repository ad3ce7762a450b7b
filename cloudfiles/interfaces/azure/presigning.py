"""Presigned URLs of blobs."""

from __future__ import annotations

from base64 import b64decode

from cloudfiles.credentials.signing.sas import BlobSas, DelegationKey, iso
from cloudfiles.exceptions import InvalidInputError, ProtocolError, UnsupportedOperationError
from cloudfiles.interfaces.azure.objects import AzureContainer
from cloudfiles.interfaces.documents import XML_ERRORS, parse_xml_content
from cloudfiles.transport.request import Request, Response

MAX_DELEGATED = 7 * 24 * 3600
"""Maximum validity of a user delegation key in seconds."""

_PERMISSIONS = {"GET": "r", "HEAD": "r", "PUT": "cw", "DELETE": "d"}


def presigned(container: AzureContainer, key: str, expires: float, method: str) -> str:
    """See `AzureInterface.presign`."""
    permissions = _PERMISSIONS.get(method.upper())
    if permissions is None:
        raise InvalidInputError(f"presign: method: expected one of {', '.join(_PERMISSIONS)}, got {method!r}")
    if expires < 1:
        raise InvalidInputError(f"presign: expires: expected a number of seconds >= 1, got {expires!r}")
    url = f"{container.origin}{container.target(key)}"
    query = _query(container, key, permissions, expires)
    return f"{url}?{query}" if query else url


def _query(container: AzureContainer, key: str, permissions: str, expires: float) -> str:
    """The SAS; '' if requests are not signed."""
    credentials, now = container.protocol.credentials(), container.protocol.now()
    if credentials is None:
        return ""
    sas = BlobSas(container.endpoint.sas_resource(container.root + key), permissions, now + expires,
                  container.origin.scheme == "https")
    if credentials.key is not None:
        return sas.by_account_key(credentials.key)
    if credentials.token is None:
        raise UnsupportedOperationError("a SAS cannot sign another, narrower one: presigning requires the account key "
                                        "or a token", path=key)
    if expires > MAX_DELEGATED:
        raise InvalidInputError(f"presign: expires: expected at most {MAX_DELEGATED} seconds (7 days) when signing "
                                f"with a token, got {expires!r}")
    delegation: DelegationKey = container.client.send(_GetDelegationKey(container, now, now + expires))
    return sas.by_delegation_key(delegation)


class _GetDelegationKey(Request):
    """Requests a key that signs on behalf of the token. Source: "Get User Delegation Key"."""

    __slots__ = ()

    def __init__(self, container: AzureContainer, start: float, expiry: float) -> None:
        body = ('<?xml version="1.0" encoding="utf-8"?>'
                f"<KeyInfo><Start>{iso(start)}</Start><Expiry>{iso(expiry)}</Expiry></KeyInfo>")
        Request.__init__(self, container.origin, "POST",
                         f"{container.endpoint.account_base}?comp=userdelegationkey&restype=service",
                         {"content-type": "application/xml"}, body.encode("ascii"), protocol=container.protocol)

    def accept(self, response: Response) -> DelegationKey:
        if response.status != 200:
            raise self.to_error(response)
        try:
            document = parse_xml_content(response.content)
            fields = {element.tag: element.text or "" for element in document}
            return DelegationKey(b64decode(fields["Value"]), fields["SignedOid"], fields["SignedTid"],
                                 fields["SignedStart"], fields["SignedExpiry"], fields["SignedService"],
                                 fields["SignedVersion"])
        except (*XML_ERRORS, KeyError):
            # Not chained: the cause may contain the key.
            raise ProtocolError("the response is not a valid user delegation key") from None
