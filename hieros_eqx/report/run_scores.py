"""From run directories to one score for each game and seed, and what a reader has to know of them."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hieros_eqx.config import HierosConfig, differences
from hieros_eqx.errors import CheckpointError, ConfigError
from hieros_eqx.report.evaluation_record import Evaluation, final_evaluations
from hieros_eqx.training import manifest
from hieros_eqx.training.run_dir import CONFIG, RunDir, read_config

EPISODES, ENV_STEPS = 100, 100_000  # of the Atari100k protocol
SHOWN = 3


@dataclass(frozen=True)
class RunScores:
    """Mean returns of finished agents."""

    scores: Mapping[str, tuple[float, ...]]
    """Game -> one score per training seed, by seed."""
    notes: tuple[str, ...]


def collect(paths: Iterable[str | Path]) -> RunScores:
    """Return the scores of runs: of every training seed its final evaluation with most episodes.

    A path is a run directory, or a folder of them. Runs of one game are seeds of the game. Raises
    `CheckpointError` if a path is neither, or names a run that is unfinished or was not evaluated (in a
    folder such are left out, with a note), `ConfigError` if a run is of no Atari game or two hold the same
    seed of a game.
    """
    found: dict[str, dict[int, Evaluation]] = {}
    configs: dict[Path, HierosConfig] = {}
    left_out: list[str] = []
    for run, named in _runs(paths):
        config, problem = read_config(run), _problem(run)
        if problem is not None:
            if named:
                raise problem
            left_out.append(f"left out: {problem}")
            continue
        assert config.env.game is not None
        own = found.setdefault(config.env.game, {})
        for seed, evaluation in final_evaluations(run).items():
            if seed in own:
                raise ConfigError(
                    f"{run} and {own[seed].path.parent} both hold seed {seed} of {config.env.game}: "
                    "give one of them."
                )
            own[seed] = evaluation
        configs[run] = config
    if not found:
        raise CheckpointError(f"wanted at least one run that was evaluated, got none ({'; '.join(left_out)})")
    scores = {game: tuple(own[seed].mean for seed in sorted(own)) for game, own in found.items()}
    return RunScores(scores, (*left_out, *_remarks(found, configs)))


def _runs(paths: Iterable[str | Path]) -> list[tuple[Path, bool]]:
    """Return runs, each with whether it was named itself."""
    runs: dict[Path, bool] = {}
    for path in map(Path, paths):
        if (path / CONFIG).exists():
            runs[path] = True
            continue
        inside = sorted(file.parent for file in path.glob(f"*/{CONFIG}"))
        if not inside:
            raise CheckpointError(
                f"{path}: wanted a run directory with {CONFIG}, or a folder of such; "
                "`hieros-eqx train` writes one."
            )
        for run in inside:
            runs.setdefault(run, False)
    return list(runs.items())


def _problem(run: Path) -> CheckpointError | ConfigError | None:
    """Return what keeps a run out of the table."""
    config, quoted = read_config(run), shlex.quote(str(run))
    if config.env.game is None:
        return ConfigError(
            f"{run}: wanted a run of an Atari game, got one of {config.env.id}; "
            f"`hieros-eqx eval {quoted}` tells its returns."
        )
    evaluations = final_evaluations(run)
    lacking = [seed for seed in config.all_seeds if seed not in evaluations]
    if not lacking:
        return None
    last = max(manifest.steps(RunDir(run).checkpoints), default=0)
    if last < config.training.env_steps:
        return CheckpointError(
            f"{run}: is unfinished ({last:,} of {config.training.env_steps:,} environment steps); "
            f"continue it with `hieros-eqx train --run-dir {quoted}`."
        )
    seeds = f"seed{'s' if len(lacking) > 1 else ''} {', '.join(map(str, lacking))}"
    return CheckpointError(
        f"{run}: wanted an evaluation of the finished agent, got none of {config.env.game}, {seeds}; "
        f"do it with `hieros-eqx eval {quoted} --episodes {EPISODES}`."
    )


def _remarks(
    found: Mapping[str, Mapping[int, Evaluation]], configs: Mapping[Path, HierosConfig]
) -> Iterable[str]:
    """Yield in what the runs depart from the protocol and from each other."""
    every = [own for seeds in found.values() for own in seeds.values()]
    fewest = {game: min(own.episodes for own in seeds.values()) for game, seeds in found.items()}
    few = [f"{game} {count}" for game, count in fewest.items() if count < EPISODES]
    if few:
        yield f"ours: fewer episodes of a seed than the protocol's {EPISODES}: {', '.join(few)}"
    policies = sorted({own.policy for own in every})
    if len(policies) > 1:
        yield f"ours: evaluated with different policies ({', '.join(policies)})"
    other = {c.env.game: c.training.env_steps for c in configs.values() if c.training.env_steps != ENV_STEPS}
    if other:
        listed = ", ".join(f"{game} {steps:,}" for game, steps in other.items())
        yield f"ours: not the benchmark's {ENV_STEPS:,} environment steps: {listed}"
    first, *rest = map(_without_game_and_seeds, configs.values())
    differing = dict.fromkeys(line for config in rest for line in differences(first, config))
    if differing:
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        yield f"ours: runs differ in their configuration: {'; '.join(list(differing)[:SHOWN])}{more}"


def _without_game_and_seeds(config: HierosConfig) -> HierosConfig:
    return replace(config.for_seed(0), env=replace(config.env, game=None))
