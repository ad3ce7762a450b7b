"""The name under which version 1.0 has pickled stores, so that its pickles can be read."""

from cloudfiles.batch.store import Store

__all__ = ["Store"]
