"""Writes one page for each command, from its help: `python docs/command_pages.py`. A test compares them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

HERE = Path(__file__).parent / "commands"

EXAMPLES = {
    "ls": ["cloudfiles ls s3://bucket/dir/", "cloudfiles ls -lh 's3://bucket/**/*.png'",
           "cloudfiles ls -e 's3://bucket/tile-[0-3][0-9]'", "cloudfiles ls --sqlite bucket.db s3://bucket/"],
    "cp": ["cloudfiles cp -r s3://bucket/results/ results", "cloudfiles cp -r -c br data/ gs://bucket/data/",
           "cloudfiles -p 4 cp -r s3://bucket/a gs://bucket/b", "cloudfiles cp --log log.jsonl -r a s3://bucket/a",
           "cloudfiles cp --retry log.jsonl"],
    "mv": ["cloudfiles mv s3://bucket/old.bin s3://bucket/archive/", "cloudfiles mv scratch/run7 s3://bucket/runs/"],
    "sync": ["cloudfiles sync data/ s3://bucket/data/", "cloudfiles sync --delete --dry-run data/ s3://bucket/data/"],
    "rm": ["cloudfiles rm 's3://bucket/tmp/*.bin'", "cloudfiles rm -r s3://bucket/tmp",
           "cloudfiles find s3://bucket/ --mtime +30d | cloudfiles rm -"],
    "cat": ["cloudfiles cat s3://bucket/log.gz | less", "cloudfiles cat -r 0-100 s3://bucket/data.bin"],
    "put": ["tar c data | cloudfiles put s3://bucket/data.tar"],
    "head": ["cloudfiles head s3://bucket/key"],
    "stat": ["cloudfiles stat --json s3://bucket/key"],
    "du": ["cloudfiles du -sh s3://bucket/dir/", "cloudfiles du -she s3://bucket/"],
    "find": ["cloudfiles find s3://bucket/ --name '*.h5' --size +1GiB --mtime -7d"],
    "tree": ["cloudfiles tree -L 2 s3://bucket/"],
    "touch": ["cloudfiles touch s3://bucket/done"],
    "mkdir": ["cloudfiles mkdir results/run7"],
    "cleanup": ["cloudfiles cleanup s3://bucket/", "cloudfiles cleanup --older-than 2h results/"],
    "verify": ["cloudfiles verify data/ s3://bucket/data/"],
    "presign": ["cloudfiles presign --expires 7d s3://bucket/report.pdf"],
    "xfer": ["cloudfiles xfer init s3://bucket/a gs://bucket/b --db transfer.db", "cloudfiles xfer execute transfer.db",
             "cloudfiles xfer status transfer.db"],
    "alias": ["cloudfiles alias add lab s3://https://s3.example.org/", "cloudfiles ls lab://bucket/"],
    "explain-auth": ["cloudfiles explain-auth s3://bucket/"],
    "bench": ["cloudfiles bench s3://bucket/scratch"],
    "watch": ["cloudfiles watch net"],
    "completion": ['eval "$(cloudfiles completion bash)"'],
    "license": ["cloudfiles license"],
}


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    from cloudfiles.cli.group import commands

    root = click.Context(commands, info_name="cloudfiles", **commands.context_settings)
    found = {name: commands.get_command(root, name) for name in commands.list_commands(root)}
    texts = {f"{name}.md": _page(name, command, root) for name, command in found.items() if command is not None}
    table = [f"| [{name}]({name}.md) | {commands.summary(name)} |" for name in found]
    texts["index.md"] = "\n".join([
        "# Commands", "", "| | |", "|---|---|", *table, "", "```{toctree}", ":hidden:", "", *found, "```", ""])
    return texts


def _page(name: str, command: click.Command, root: click.Context) -> str:
    lines = [f"# cloudfiles {name}", ""]
    if name in EXAMPLES:
        lines += ["```console", *(f"$ {example}" for example in EXAMPLES[name]), "```", ""]
    return "\n".join([*lines, *_described(command, click.Context(command, root, name))]) + "\n"


def _described(command: click.Command, context: click.Context, level: int = 2) -> Iterator[str]:
    """Usage, text and options of a command, then its subcommands."""
    yield from ("```text", f"cloudfiles {context.command_path.partition(' ')[2]} "
                f"{' '.join(command.collect_usage_pieces(context))}", "```", "")
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        is_literal = paragraph.startswith("\b")
        text = paragraph.removeprefix("\b").strip("\n")
        yield from (["```text", text, "```", ""] if is_literal else [text, ""])
    options = [record for parameter in command.get_params(context) if isinstance(parameter, click.Option)
               and (record := parameter.get_help_record(context)) is not None]
    yield from ("| option | |", "|---|---|")
    yield from (f"| `{_escaped(names)}` | {_escaped(text)} |" for names, text in options)
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from ("", f"{'#' * level} {context.info_name} {name}", "")
            yield from _described(inner, click.Context(inner, context, name), level + 1)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for file, text in pages().items():
        (HERE / file).write_text(text, encoding="utf-8")
