"""gcp-storage-emulator in memory, without two things that would be measured in place of its clients.

`python emulated_google.py PORT`, by an interpreter that has it. It queues five connections and drops the sixth, which
comes again a second later; and it writes the description of every object at each change.
"""

from __future__ import annotations

import socketserver
import sys

from gcp_storage_emulator.server import create_server
from gcp_storage_emulator.storage import Storage


def main() -> None:
    socketserver.TCPServer.request_queue_size = 1024
    Storage._write_config_to_file = lambda self: None  # in memory nothing reads it
    create_server("127.0.0.1", int(sys.argv[1]), in_memory=True).run()


if __name__ == "__main__":
    main()
