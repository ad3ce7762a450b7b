"""`Bucket`: a file-oriented view of any cloudpath, with filters and a cache."""

from cloudfiles.bucket.bucket import Bucket, NoSuchFileError
from cloudfiles.bucket.local_names import NoSuchDirectoryError
from cloudfiles.bucket.storage import BucketFile, Storage
from cloudfiles.bucket.views import PrefixFilter, StripPrefix

__all__ = [
    "Bucket", "BucketFile", "NoSuchDirectoryError", "NoSuchFileError", "PrefixFilter", "Storage", "StripPrefix",
]
