"""What a store is like: the differences between protocols that batches and transfers depend on."""

from __future__ import annotations

from cloudfiles.values import NamedTuple


class StoreTraits(NamedTuple):
    """The traits of a protocol, as the class attribute `Interface.traits`. The defaults are those of a remote store of
    which nothing else is known.

    Attributes:
        is_local: operations take microseconds and do not wait for a network: a batch starts in the calling thread.
        lists_in_key_order: `list_page` lists keys in UTF-8 byte order and supports `start_after`, so that batches can
            merge with it.
        lists_directories: a page takes reading the directory in which it begins, as a whole. Listings continue by
            their tokens, and are not divided into ranges that are listed at the same time.
        lists_cheaply: for listings in an unknown order: listing costs less than requesting one in a hundred of the
            listed keys. Batches may look for keys in the complete listing of their common prefix.
        keeps_live_objects: `put` accepts any Python object, and `get` returns the same object.
        delete_batch: the maximum number of keys in one call of `delete`.
        etag_is_md5: an ETag of 32 hexadecimal digits is the md5 of the stored bytes, also in listings.
        metadata_prefix: the prefix of the headers of user-defined metadata.
        keeps_attributes: objects keep a content type, cache control and metadata.
        keeps_metadata: objects keep metadata as well. Otherwise, transfers omit it, and writes with metadata are
            rejected.
        keeps_encodings: objects keep a content encoding. Otherwise, they are written decoded.
        folds_suffixes: encodings are suffixes of names, so that the keys `a` and `a.gz` may be the same object.
        folds_case: keys that differ only in case may be the same object.
        nests_names: keys are paths: if `a` is an object, `a/b` cannot exist.
        no_encoding: the value of `compress` in results for objects without an encoding, which existing programs
            compare with.
        reads_public_buckets: with `no_sign_request`, public buckets are read and listed over HTTPS; `use_https` is
            the same.
    """

    is_local: bool = False
    lists_in_key_order: bool = False
    lists_directories: bool = False
    lists_cheaply: bool = False
    keeps_live_objects: bool = False
    delete_batch: int = 1
    etag_is_md5: bool = False
    metadata_prefix: str = "x-amz-meta-"
    keeps_attributes: bool = True
    keeps_metadata: bool = True
    keeps_encodings: bool = True
    folds_suffixes: bool = False
    folds_case: bool = False
    nests_names: bool = False
    no_encoding: str | None = None
    reads_public_buckets: bool = False
