"""How much memory the state of a run takes, known before any of it is taken.

The work space of an update (activations, gradients) comes on top; `benchmarks/` measures it.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from hieros_eqx.agent import init
from hieros_eqx.backend import tree_bytes
from hieros_eqx.config import PRESETS, HierosConfig, make_preset
from hieros_eqx.errors import ConfigError
from hieros_eqx.training.free_memory import free_bytes
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

ATARI = Spaces(
    observation=ObservationSpace(kind="image", shape=(64, 64, 3)),
    action=ActionSpace(kind="discrete", size=18),
)
"""The spaces of the largest Atari games."""


class StateBytes(NamedTuple):
    """Bytes of a state's parts, for all its seeds."""

    replay: int
    parameters: int
    optimisers: int
    """Adam's moments and the slow critics."""
    acting: int
    """What acting remembers from step to step, and counters."""

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(self)


def state_bytes(config: HierosConfig, spaces: Spaces) -> StateBytes:
    """Return what the state of a run will take, without taking it.

    Seeds side by side take as much as so many runs (but for a few counters).
    """
    state = jax.eval_shape(lambda: init(config, spaces, jax.random.key(0)))
    parts = (state.replay, state.params, state.learner, (state.carry, state.env_step, state.train_step))
    return StateBytes(*(len(config.all_seeds) * tree_bytes(part) for part in parts))


def check_memory(config: HierosConfig, spaces: Spaces, devices: Sequence[Any]) -> str:
    """Return in one line what the state of a run will take; `ConfigError` if that is more than is free.

    Several `devices` (of JAX) share the seeds, and each is asked for its part.
    """
    needed = state_bytes(config, spaces)
    free = free_bytes(devices)
    shares = 1 if devices[0].platform == "cpu" else len(devices)
    if free is not None and needed.total > free * shares:
        raise ConfigError(_refusal(config, needed, free, shares))
    return describe(needed, free, shares)


def describe(needed: StateBytes, free: int | None, shares: int = 1) -> str:
    """Return what a state takes, and what is free on each of the devices that share it, in one line."""
    parts = ", ".join(f"{name} {show(size)}" for name, size in needed._asdict().items())
    text = f"memory: {parts}; {show(needed.total)} in all"
    if shares > 1:
        text += f", {show(-(-needed.total // shares))} on each of {shares} devices"
    return text if free is None else f"{text} of {show(free)} free"


def show(size: int) -> str:
    """Return a number of bytes with three digits and a decimal unit."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.{max(0, 2 - int(math.log10(size / factor)))}f} {unit}"
    return f"{size} B"


def table(counts: Sequence[int] = (1, 2, 4, 8)) -> str:
    """Return a Markdown table of what every preset takes, by number of seeds; an Atari game of 18 actions."""
    seeds = [f"{count} seed{'s' if count > 1 else ''}" for count in counts]
    rows = [["preset", "replay", "parameters", "optimisers", *seeds], ["---"] + ["---:"] * (3 + len(counts))]
    for name in PRESETS:
        alone = state_bytes(make_preset(name), ATARI)
        sizes = [alone.replay, alone.parameters, alone.optimisers, *(n * alone.total for n in counts)]
        rows.append([f"`{name}`", *(show(size) for size in sizes)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _refusal(config: HierosConfig, needed: StateBytes, free: int, shares: int) -> str:
    several = len(config.all_seeds) > 1
    lower = ["fewer training.seeds"] if several else []
    lower += ["a lower training.env_steps"] if config.replay.capacity is None else []
    entries = config.capacity(0) * config.env.num_envs
    return (
        f"{describe(needed, None, shares)}{f', for {len(config.all_seeds)} seeds' if several else ''}. "
        f"That does not fit into the {show(free)} that are free{' on a device' if shares > 1 else ''}: take "
        f"{', '.join([*lower, f'a lower replay.capacity (now {entries:,} entries)'])} or smaller sizes in "
        "world_model."
    )
