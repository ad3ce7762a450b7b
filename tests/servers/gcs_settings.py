"""How the scripted Cloud Storage behaves when nothing is scripted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class GcsSettings:
    """How the server behaves when nothing is scripted.

    Attributes:
        token: the bearer token that requests must carry; None checks nothing.
        requester_pays: refuses requests without a userProject.
        page_size: the most entries of a list page.
        rewrite_bytes: what one rewrite request copies; 0 for all.
        session_bytes: what a resumable session keeps of a piece at most; 0 for all.
        delete_refusals: name -> status and reason that a batch reports, as often as the list is long.
        policy: the bucket's resource.
        permissions: what testIamPermissions grants.
        transcodes: decodes gzip on its way whatever the client accepts, as a careless cache would.
        compresses: compresses whole objects on their way.
        media_etag: the ETag of a download: 'resource' for that of the resource, 'quoted' for the same in quotes, 'md5'
            for one as the XML API makes it, 'none' for none.
        media_hidden: headers that downloads leave out, in lower case.
        resource_hidden: fields that resources leave out, as the API may of any field that is empty.
        batch_status: what a batch request as a whole is answered with, in place of the batch's answer.
        no_bucket: how a 404 says that there is no bucket of the name.
        no_object: how a 404 says that there is no object of the name.
        ignores_conditions: takes no notice of ifGenerationMatch, as emulators do.
        changes_metadata: the metadata of an object changes directly after every answer about it.
    """

    token: str | None = None
    requester_pays: bool = False
    page_size: int = 1000
    rewrite_bytes: int = 0
    session_bytes: int = 0
    delete_refusals: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=lambda: {"storageClass": "STANDARD"})
    permissions: tuple[str, ...] = ("storage.objects.create", "storage.objects.delete", "storage.objects.get")
    transcodes: bool = False
    compresses: bool = False
    media_etag: str = "resource"
    media_hidden: tuple[str, ...] = ()
    resource_hidden: tuple[str, ...] = ()
    batch_status: int = 200
    no_bucket: str = "The specified bucket does not exist."
    no_object: str = "No such object: {bucket}/{name}"
    ignores_conditions: bool = False
    changes_metadata: bool = False
