"""Dates in HTTP headers. `email.utils`, which formats them too, takes milliseconds to import."""

from __future__ import annotations

import time
from functools import lru_cache

# Not strftime, which depends on the locale.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(maxsize=1024)
def http_date(seconds: int) -> str:
    """Seconds since the epoch as the IMF-fixdate of RFC 9110 5.6.7.

    >>> http_date(784111777)
    'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    at = time.gmtime(seconds)
    return (f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
            f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT")
