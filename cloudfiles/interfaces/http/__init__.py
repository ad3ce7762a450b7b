"""`http://` and `https://`: any web server."""

from cloudfiles.interfaces.http.interface import HttpInterface

__all__ = ["HttpInterface"]
