"""Options that several of the commands that copy, compare and delete objects have."""

from __future__ import annotations

import click

from cloudfiles.cli.sizes import SizeType

ENCODINGS = {"same": None, "none": ""}
"""Values of -c that are not the names of encodings."""

compression_option = click.option(
    "-c", "--compression", default="same", show_default=True,
    help="Compression of the copies: same (as the source), none, gzip, br, zstd, xz, bz2.")

include_option = click.option("--include", multiple=True, metavar="GLOB",
                              help="Only keys that match (`*` also matches '/').")

exclude_option = click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out keys that match.")

progress_option = click.option("--progress/--no-progress", default=None,
                               help="Show progress [default: on a terminal].")

limit_rate_option = click.option("--limit-rate", type=SizeType(least=1), metavar="BYTES",
                                 help="At most this many bytes per second in each process, for example 10MB.")

log_option = click.option("--log", "log", metavar="FILE", type=click.Path(dir_okay=False),
                          help="Append one line of JSON for each object: done, skipped or failed, and why.")
