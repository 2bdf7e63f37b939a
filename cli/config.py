"""`hieros-eqx config`: print the resolved configuration as JSON."""

import json

import click

from hieros_eqx.config import to_dict

from .options import config_options
from .resolve import resolve


@click.command("config")
@config_options
@click.pass_context
def command(ctx: click.Context, **_: object) -> None:
    """Print the resolved configuration as JSON, fit for --config."""
    click.echo(json.dumps(to_dict(resolve(ctx)), indent=2))
