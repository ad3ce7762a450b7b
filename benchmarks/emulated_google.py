"""gcp-storage-emulator in memory, without two limitations that would distort the measurements.

`python emulated_google.py PORT`, with an interpreter that has it installed. The original queues five connections and
drops the sixth, which is retried a second later, and rewrites the metadata of every object at each change.
"""

from __future__ import annotations

import socketserver
import sys

from gcp_storage_emulator.server import create_server
from gcp_storage_emulator.storage import Storage


def main() -> None:
    socketserver.TCPServer.request_queue_size = 1024
    Storage._write_config_to_file = lambda self: None  # not needed in memory
    create_server("127.0.0.1", int(sys.argv[1]), in_memory=True).run()


if __name__ == "__main__":
    main()
