"""`cloudfiles explain-auth`: the sources that are searched for credentials, and what was found in each."""

from __future__ import annotations

import json

import click

from cloudfiles import CloudFiles


@click.command("explain-auth")
@click.argument("cloudpath")
@click.option("--endpoint", help="URL of the service, if it is not the provider's own.")
@click.option("--secrets", type=click.Path(exists=True, dir_okay=False), help="A JSON file with credentials.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def explain_auth(cloudpath: str, endpoint: str | None, secrets: str | None, as_json: bool) -> None:
    """Print the sources that are searched for credentials for CLOUDPATH, in order, and what was found in each.

    The first source that has credentials is used. No secrets are printed. If the last source is the provider's own
    credential chain, it is queried as well, which may take a few seconds.
    """
    cf = CloudFiles(cloudpath, endpoint=endpoint, secrets=secrets)
    findings = cf._store.here().explain_credentials()
    if as_json:
        click.echo(json.dumps([{"place": place, "found": found} for place, found in findings]))
        return
    if not findings:
        click.echo(f"{cf.protocol}:// does not use credentials")
    width = max((len(place) for place, _ in findings), default=0)
    for place, found in findings:
        click.echo(f"{place.ljust(width)}  {' '.join(found.split())}")
