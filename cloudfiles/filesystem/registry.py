"""The names of our file systems in fsspec.

`cf+s3` and the like are entry points of the group `fsspec.specs`. The plain names are taken over by `register`.
"""

from __future__ import annotations

import fsspec

from cloudfiles.exceptions import UnsupportedProtocolError

_ALIASES = {"gcs": "gs", "local": "file"}
"""Other names in fsspec of the protocols."""


def register(*protocols: str, clobber: bool = True) -> None:
    """Have fsspec use cloudfiles for protocols, in this process: `fsspec.open("s3://bucket/key")`.

    Args:
        protocols: such as 's3', 'gs', 'gcs', 'az', 'abfs'; none for these five and 'abfss'.
        clobber: replace what is registered; False raises ValueError if another package is.

    Existing file systems, also those that fsspec has cached, are unchanged.

    Raises:
        UnsupportedProtocolError: (also a ValueError) cloudfiles has no file system for a protocol.
    """
    from cloudfiles.filesystem.protocols import FILE_SYSTEMS

    for protocol in protocols or ("s3", "gs", "gcs", "az", "abfs", "abfss"):
        cls = FILE_SYSTEMS.get(_ALIASES.get(protocol, protocol))
        if cls is None:
            raise UnsupportedProtocolError(f"there is no file system for {protocol!r}; there are: "
                                           f"{', '.join([*FILE_SYSTEMS, *_ALIASES])}")
        fsspec.register_implementation(protocol, cls, clobber=clobber)
