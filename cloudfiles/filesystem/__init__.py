"""An fsspec file system over any cloudpath, so that pandas, dask, zarr, xarray and pyarrow use cloudfiles.

Needs fsspec: `pip install 'cloudfiles[fsspec]'`.
"""

from cloudfiles.exceptions import MissingExtraError

try:
    import fsspec as _fsspec
except ImportError as error:
    raise MissingExtraError("cloudfiles.filesystem needs fsspec: pip install 'cloudfiles[fsspec]'") from error

from cloudfiles.filesystem.filesystem import CloudFileSystem
from cloudfiles.filesystem.registry import register

__all__ = ["CloudFileSystem", "register"]

_ = _fsspec
