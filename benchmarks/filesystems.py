"""Libraries on a store that is far away, by default settings: Parquet footers, chunks of zarr, `glob`, one large file.

    python -m benchmarks.filesystems [--latency 0,20] [--rounds 3] [--only footers,chunks,glob,file]
                                      [--clients s3fs,obstore,pyarrow] [--small]

starts `far_store` with each latency, and runs every client once per round, in a process of its own, the alternatives in
their environments (`benchmarks --help`). Prints the median of the seconds, and of the ratios to the seconds of
cloudfiles in the same round.

- footers: `pyarrow.dataset(...).count_rows()` on 1 000 Parquet files of about 100 KB, which reads their footers one
  after the other; at once: the ends of all files by `cat_ranges` of the fsspec file system.
- write, read: an array of 10 000 chunks of 4 KiB, without compression, in zarr.
- glob: `*7` in a directory of 100 000 keys, of which a tenth match.
- sequential: a file of 1 GiB in reads of 1 MiB; random: 200 reads of 64 KiB in it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import far_store
from benchmarks.servers import free_port, nginx_user, scratch_root

CLIENT = r"""
import json, random, resource, sys, time, warnings
warnings.simplefilter("ignore")
what, client, port, count, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
url = f"http://127.0.0.1:{port}"
KEY, SECRET, REGION = "AKIAEXAMPLE0000", "secretkey1234567", "us-east-1"
SECRETS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": REGION}

def file_system():
    if client.startswith("cloudfiles"):
        from cloudfiles.filesystem.protocols import S3FileSystem
        return S3FileSystem(endpoint=url, secrets=SECRETS)
    import s3fs
    return s3fs.S3FileSystem(endpoint_url=url, key=KEY, secret=SECRET, client_kwargs={"region_name": REGION})

def arrow():
    if client == "cloudfiles":
        from cloudfiles.arrow import arrow_file_system
        return arrow_file_system("s3://bench/", endpoint=url, secrets=SECRETS), ""
    if client == "pyarrow":
        from pyarrow.fs import S3FileSystem
        return S3FileSystem(access_key=KEY, secret_key=SECRET, region=REGION, scheme="http",
                            endpoint_override=f"127.0.0.1:{port}"), "bench/"
    return file_system(), "bench/"

def zarr_store():
    if client == "cloudfiles":
        from cloudfiles.zarr import CloudStore
        return CloudStore(f"s3://bench/{name}/", endpoint=url, secrets=SECRETS)
    if client == "cloudfiles, fsspec":
        from cloudfiles.filesystem import CloudFileSystem
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
        from zarr.storage import FsspecStore
        system = CloudFileSystem(f"s3://bench/{name}/", endpoint=url, secrets=SECRETS)
        return FsspecStore(AsyncFileSystemWrapper(system, asynchronous=True), path="")
    if client == "obstore":
        from obstore.store import S3Store
        from zarr.storage import ObjectStore
        return ObjectStore(S3Store("bench", prefix=name, endpoint=url, access_key_id=KEY, secret_access_key=SECRET,
                                   region=REGION, client_options={"allow_http": True}))
    from zarr.storage import FsspecStore
    return FsspecStore.from_url(f"s3://bench/{name}", storage_options=dict(
        endpoint_url=url, key=KEY, secret=SECRET, client_kwargs={"region_name": REGION}))

def footers():
    import pyarrow.dataset, pyarrow.parquet
    system, above = arrow()
    paths = [f"{above}parquet/{number:06d}.parquet" for number in range(count)]
    def run():
        assert pyarrow.dataset.dataset(paths, filesystem=system, schema=schema).count_rows() == 6000 * count
    import pyarrow
    schema = pyarrow.schema([("number", pyarrow.int64()), ("half", pyarrow.float64())])
    pyarrow.dataset.dataset(paths[:1], filesystem=system, schema=schema).count_rows()
    found = {"footers": run}
    if client in ("cloudfiles", "s3fs"):
        def at_once():
            names = [f"bench/parquet/{number:06d}.parquet" for number in range(count)]
            ends = file_system().cat_ranges(names, [-65536] * count, [None] * count)
            read = pyarrow.parquet.read_metadata
            assert sum(read(pyarrow.BufferReader(end)).num_rows for end in ends) == 6000 * count
        found["at once"] = at_once
    return found

def chunks():
    import numpy, zarr
    values = numpy.random.default_rng(1).integers(0, 1 << 30, count * 1024, dtype="i4")
    zarr.create_array(zarr_store(), name="first", shape=(2,), dtype="i4")[:] = 1
    def write():
        array = zarr.create_array(zarr_store(), name="a", shape=values.shape, chunks=(1024,), dtype="i4",
                                  compressors=None)
        array[:] = values
    def read():
        assert (zarr.open_array(zarr_store(), path="a", mode="r")[:] == values).all()
    return {"write": write, "read": read}

def glob():
    system = file_system()
    def run():
        assert len(system.glob("lists/*7")) == count // 10
    return {"glob": run}

def file():
    system = file_system()
    size = count << 20
    def sequential():
        with system.open("bench/large/file", "rb") as opened:
            total = 0
            while piece := opened.read(1 << 20):
                total += len(piece)
        assert total == size
    def at_random():
        places = random.Random(1)
        with system.open("bench/large/file", "rb") as opened:
            for _ in range(200):
                opened.seek(places.randrange(size - (64 << 10)))
                assert len(opened.read(64 << 10)) == 64 << 10
    return {"sequential": sequential, "random": at_random}

found = {}
for part, run in globals()[what]().items():
    began, cpu = time.perf_counter(), time.process_time()
    run()
    found[part] = [time.perf_counter() - began, time.process_time() - cpu]
print(json.dumps(found))
"""

NO_LISTING = """
    location ~ ^/bench/?$ { access_by_lua_block { far.arrive() } content_by_lua_block {
      ngx.header["Content-Type"] = "application/xml"
      ngx.print('<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bench</Name>'
                .. '<KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>')
    } }
"""
"""Clients that look for a directory where there is no object are told that there is none."""

CLIENTS = {
    "footers": ("cloudfiles", "cloudfiles, fsspec", "s3fs", "pyarrow"),
    "chunks": ("cloudfiles", "cloudfiles, fsspec", "obstore", "s3fs"),
    "glob": ("cloudfiles", "s3fs"),
    "file": ("cloudfiles", "s3fs"),
}
COUNTS = {"footers": 1000, "chunks": 10_000, "glob": 100_000, "file": 1024}


@contextmanager
def store(latency: float, what: Sequence[str], counts: dict[str, int]) -> Iterator[int]:
    """The port of a far store with what is read. Unlike that of other benchmarks it sends ETags, as S3 does."""
    base = scratch_root()
    try:
        (base / "run").mkdir()
        prepare(base / "root" / far_store.BUCKET, what, counts)
        listing = base / "run" / "keys"
        listing.write_text("".join(f"{number:09d}\n" for number in range(counts["glob"])))
        port = free_port()
        text = far_store.configuration({port: far_store.Profile(latency / 1000)}, run=base / "run",
                                       root=base / "root", user=nginx_user(), listing=listing)
        text = text.replace("etag off;", f"etag on; {NO_LISTING}")
        (base / "run" / "far.conf").write_text(text)
        process = subprocess.Popen(["nginx", "-c", str(base / "run" / "far.conf"), "-p", str(base / "run")])
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            far_store.counters(port)
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the store does not start")


def prepare(root: Path, what: Sequence[str], counts: dict[str, int]) -> None:
    """The files that are read."""
    if "footers" in what:
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.table({"number": list(range(6000)), "half": [number * 0.37 for number in range(6000)]})
        directory = root / "parquet"
        directory.mkdir(parents=True)
        pyarrow.parquet.write_table(table, directory / "000000.parquet", compression="none", use_dictionary=False)
        for number in range(1, counts["footers"]):
            (directory / f"{number:06d}.parquet").hardlink_to(directory / "000000.parquet")
    if "file" in what:
        (root / "large").mkdir(parents=True)
        with open(root / "large" / "file", "wb") as file:
            for number in range(counts["file"]):
                file.write(bytes([number % 251]) * (1 << 20))


def measure(python: str, what: str, client: str, port: int, count: int, name: str) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "client.py")
        script.write_text(CLIENT)
        done = subprocess.run([python, str(script), what, client, str(port), str(count), name], capture_output=True,
                              text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed")
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def python_of(client: str) -> str:
    from benchmarks.envs import python_for

    return python_for("s3fs", None) if client == "s3fs" else sys.executable


def run(what: str, port: int, rounds: int, count: int, clients: Sequence[str]) -> None:
    from benchmarks.envs import Unavailable

    samples: dict[str, list[dict[str, Any]]] = {client: [] for client in CLIENTS[what] if client in clients}
    for number in range(rounds):
        for client in samples:
            try:
                name = f"put-{what}-{client.split(',')[-1].strip()}-{number}"
                samples[client].append(measure(python_of(client), what, client, port, count, name))
            except (Unavailable, RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"  {client}: {str(error)[:150]}", flush=True)
    ours = samples["cloudfiles"]
    for client, found in samples.items():
        for part in found[0] if found else ():
            seconds = statistics.median(sample[part][0] for sample in found)
            cpu = statistics.median(sample[part][1] for sample in found)
            times = statistics.median(sample[part][0] / own[part][0] for sample, own in zip(found, ours, strict=False))
            print(f"  {part:12}{client:22}{seconds:8.2f} s {cpu:8.2f} s CPU {times:8.2f} times cloudfiles", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filesystems", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", default="0,20", help="ms to the first byte (0,20)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="footers,chunks,glob,file")
    parser.add_argument("--clients", default="s3fs,obstore,pyarrow", help="the others (s3fs,obstore,pyarrow)")
    parser.add_argument("--small", action="store_true", help="a tenth of the counts")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    counts = {what: count // 10 if options.small else count for what, count in COUNTS.items()}
    chosen = options.only.split(",")
    clients = ["cloudfiles", "cloudfiles, fsspec", *options.clients.split(",")]
    for latency in map(float, options.latency.split(",")):
        with store(latency, chosen, counts) as port:
            print(f"{latency:g} ms", flush=True)
            for what in chosen:
                run(what, port, options.rounds, counts[what], clients)


if __name__ == "__main__":
    main()
