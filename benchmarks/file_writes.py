"""A large object written through a file object, by default settings.

    python -m benchmarks.file_writes [--latency 0,20] [--rounds 3] [--size 512]

starts the S3 server of `cloudfiles.testing` behind a proxy that adds each latency, and writes an object of `--size` MiB
in pieces of 1 MiB, with every client once per round, in a process of its own. Prints the median of the MB/s, and of the
ratios to those of cloudfiles in the same round. The server computes digests, which limits the rate.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.envs import Unavailable
from benchmarks.filesystems import python_of
from benchmarks.servers import free_port
from cloudfiles.testing import S3Server

CLIENTS = ("cloudfiles", "s3fs", "obstore")

CLIENT = r"""
import sys, time, warnings
warnings.simplefilter("ignore")
client, url, key, secret, size = *sys.argv[1:5], int(sys.argv[5])

def opened(name):
    if client == "cloudfiles":
        from cloudfiles import CloudFiles
        secrets = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        return CloudFiles("s3://bucket/", endpoint=url, secrets=secrets).open(name, "wb")
    if client == "s3fs":
        import s3fs
        return s3fs.S3FileSystem(endpoint_url=url, key=key, secret=secret).open("bucket/" + name, "wb")
    import obstore
    from obstore.store import S3Store
    store = S3Store("bucket", endpoint=url, access_key_id=key, secret_access_key=secret, region="us-east-1",
                    virtual_hosted_style_request=False, client_options={"allow_http": True})
    return obstore.open_writer(store, name)

piece = bytes(range(256)) * 4096
with opened("warm-up") as file:
    file.write(piece)
started = time.perf_counter()
with opened("large") as file:
    for _ in range(size):
        file.write(piece)
print(time.perf_counter() - started)
"""


@contextmanager
def delayed(port: int, milliseconds: float) -> Iterator[int]:
    """The port of a proxy that adds so much latency; the given one for 0."""
    if not milliseconds:
        yield port
        return
    listen = free_port()
    script = Path(__file__).with_name("delay_proxy.py")
    proxy = subprocess.Popen([sys.executable, str(script), str(listen), str(port), str(milliseconds)])
    try:
        yield listen
    finally:
        proxy.terminate()
        proxy.wait()


def measure(client: str, url: str, server: S3Server, size: int) -> float:
    """MB/s. Raises Unavailable."""
    secrets = server.secrets
    done = subprocess.run(
        [python_of(client), "-c", CLIENT, client, url, secrets["AWS_ACCESS_KEY_ID"], secrets["AWS_SECRET_ACCESS_KEY"],
         str(size)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise Unavailable(done.stderr.strip().rpartition("\n")[2])
    written = server.get("large")
    if written is None or len(written.content) != size << 20:
        raise Unavailable("the object was not written completely")
    return (size << 20) / 1e6 / float(done.stdout)


def run(latency: float, rounds: int, size: int) -> None:
    rates: dict[str, list[float]] = {client: [] for client in CLIENTS}
    for _ in range(rounds):
        for client in CLIENTS:
            with S3Server() as server, delayed(int(server.url.rpartition(":")[2]), latency) as port:
                try:
                    rates[client].append(measure(client, f"http://127.0.0.1:{port}", server, size))
                except Unavailable as reason:
                    print(f"{latency:g} ms  {client}: {reason}")
    for client, found in rates.items():
        if len(found) == rounds:
            ratio = statistics.median(each / ours for each, ours in zip(found, rates["cloudfiles"], strict=True))
            print(f"{latency:g} ms  {client:12} {statistics.median(found):6.0f} MB/s  {ratio:.2f} times ours",
                  flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.file_writes", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", default="0,20", help="ms of a round trip (0,20)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=512, help="MiB (512)")
    options = parser.parse_args(arguments)
    for latency in options.latency.split(","):
        run(float(latency), options.rounds, options.size)


if __name__ == "__main__":
    main()
