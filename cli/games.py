"""`hieros-eqx games`: the games of the benchmark with random, human and published scores."""

import click

from hieros_eqx.report.published import COLUMNS, published_scores


@click.command("games")
@click.option("--all", "all_", is_flag=True, envvar="HIEROS_EQX_GAMES_ALL", help="Name every Atari game.")
def command(all_: bool) -> None:
    """List the Atari100k games with random, human and published scores (sources: NOTICE)."""
    table = published_scores()
    click.echo(f"{'game':<16}" + "".join(f"{name:>11}" for name in COLUMNS))
    for game, row in table.items():
        click.echo(f"{game:<16}" + "".join(f"{row[name]:>11g}" for name in COLUMNS))
    if all_:
        from hieros_eqx.envs.names import ALL_GAMES

        click.echo("\n" + "\n".join(game for game in ALL_GAMES if game not in table))
