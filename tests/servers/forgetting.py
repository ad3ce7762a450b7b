"""What this process has learned about a server: tests share servers, and none depends on the tests before it."""

from __future__ import annotations

import sys


def forget_server(port: int) -> None:
    """Drop the connections to a server on this machine, its rate limit, and what is usual for it.

    Else a server that has refused the requests of one test is spared by the next one, and once a hundred of its
    responses were timed, requests that take half a second are sent again.
    """
    client, traffic = (sys.modules.get(f"cloudfiles.transport.{name}") for name in ("client", "traffic"))
    if client is None or traffic is None:
        return  # not used yet
    for each in list(client._clients):
        for origin in [origin for origin in each._pools if origin.port == port]:
            each.runtime.call(each._pools.pop(origin).close)
    for known in (client._limiters, client._hedging_policies, traffic._traffic):
        for origin in [origin for origin in known if origin.port == port]:
            del known[origin]
