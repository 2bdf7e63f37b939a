"""What do more levels bring, and what do they cost? Returns of finished runs against steps and against FLOPs.

    python benchmarks/depth.py errands RUN RUN RUN

The runs differ in depth, and otherwise as their directories say; those that differ in nothing but seeds are
one line. FLOPs are those of acting and of all updates of one seed, counted in the traced programs
(`flops.py`) as if all levels were trained from the first step on.
Adds one line to `results/depth.jsonl` and draws `results/depth_NAME.png`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from flops import count
from machine import RESULTS, write
from programs import abstract_state, abstract_timestep, act_program, per_env_step, update_programs

from hieros_eqx.config import HierosConfig
from hieros_eqx.report import figures
from hieros_eqx.report.return_curve import Curve, moving_means
from hieros_eqx.training.log import read
from hieros_eqx.training.run_dir import RunDir, read_config, read_spaces
from hieros_eqx.types import Spaces


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="of the environment, for record and figure")
    parser.add_argument("runs", type=Path, nargs="+", help="directories of runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of record and figure")
    chosen = parser.parse_args(arguments)
    agents: dict[HierosConfig, list[Path]] = {}
    for run in chosen.runs:
        agents.setdefault(read_config(run).for_seed(0), []).append(run)
    costs = [flops_per_env_step(config, read_spaces(runs[0])) for config, runs in agents.items()]
    curves = [curves_of(runs) for runs in agents.values()]
    labels = [f"{config.levels} level{'s' * (config.levels > 1)}" for config in agents]
    figures.returns_by_cost(
        labels, curves, costs, chosen.results / f"depth_{chosen.name}.png", title=chosen.name
    )
    rows = [
        {
            "runs": [run.name for run in runs],
            "levels": config.levels,
            "env_steps": config.training.env_steps,
            "mflop_per_env_step": cost / 1e6,
            "last_tenth_of_training": {str(seed): float(own.mean[-1]) for seed, own in by_seed.items()},
        }
        for (config, runs), cost, by_seed in zip(agents.items(), costs, curves, strict=True)
    ]
    for row in rows:
        print(row)
    chosen.preset, chosen.set = next(iter(agents)).preset, []
    given = [chosen.name, *(run.name for run in chosen.runs)]
    return write("depth", chosen, given, {"name": chosen.name, "runs": rows})


def curves_of(runs: Sequence[Path]) -> dict[int, Curve]:
    """Return the curve of every seed of runs of one configuration; each seed may be in one run alone."""
    curves: dict[int, Curve] = {}
    for run in runs:
        own = moving_means(read(RunDir(run).episodes))
        if twice := curves.keys() & own.keys():
            raise ValueError(f"wanted every seed once, got seed {min(twice)} in {run.name} and before it")
        curves |= own
    return dict(sorted(curves.items()))


def flops_per_env_step(config: HierosConfig, spaces: Spaces) -> float:
    """Return what one seed costs in an environment step, all of its levels being trained."""
    state, timestep = abstract_state(config, spaces), abstract_timestep(config, spaces)
    programs = [act_program(state, timestep), *update_programs(state).values()]
    platform = jax.default_backend()
    acting, *updates = (
        count(program.jitted.trace(*program.args(state), **program.static).jaxpr, platform).flops
        for program in programs
    )
    return per_env_step(config, updates, acting / config.env.num_envs)


if __name__ == "__main__":
    main()
