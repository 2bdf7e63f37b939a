"""Time replay against its size: append, draw, draw with gather and write-back. All should be flat.

    python benchmarks/bench_replay.py --preset atari100k --sizes 1000 10000 100000

Adds one line to `results/bench_replay.jsonl`. Rings that would take more than `--memory` GB are left out.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from machine import config_of, options, repeat, summary, table, write
from programs import ATARI

from hieros_eqx.config import HierosConfig
from hieros_eqx.replay import count_visits, draw, gather, init_replay, record, replay_bytes, write_back
from hieros_eqx.types import Latent, Transition

INNER = 20  # calls timed together: a draw is faster than a clock is fine


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config = replace(config_of(chosen), levels=1)
    by_size, left_out = {}, []
    for size in chosen.sizes:
        at = replace(config, replay=replace(config.replay, capacity=size))
        if replay_bytes(at, ATARI) > chosen.memory * 1e9:
            left_out.append(size)
            continue
        by_size[str(size)] = time_replay(at, chosen.repeats)
    names = ("append", "draw", "draw_gather_write_back", "draw_beyond_gather")
    rows = [[size, *(group[name]["median_ms"] for name in names)] for size, group in by_size.items()]
    print(table([["entries", *(f"{name} ms" for name in names)], *rows]))
    if left_out:
        print(f"left out for memory: {', '.join(f'{size:,}' for size in left_out)}")
    return write("bench_replay", chosen, arguments, {"by_size": by_size, "left_out": left_out})


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--memory", type=float, default=4.0, metavar="GB", help="of the largest ring")
    return parser.parse_args(arguments)


def time_replay(config: HierosConfig, repeats: int) -> dict[str, Any]:
    training, kept = config.training, config.replay
    rings = init_replay(config, ATARI)
    full = jnp.full_like(rings[0].count, rings[0].capacity + 7)  # wrapped, as after a long run
    rings = (replace(rings[0], count=full, oldest=full - rings[0].capacity),)
    take = partial(
        draw,
        length=training.sequence,
        sampling=kept.sampling,
        temperature=kept.temperature,
        scale=kept.etbs_scale,
    )
    latent = _latents(config, (training.sequence, training.batch))

    def draw_only(carry: Any) -> Any:
        ring, key = carry
        key, drawn = _drawn(take, ring, key, training.batch)
        return count_visits(ring, drawn, training.sequence), key

    def gather_only(carry: Any) -> Any:
        ring, key, drawn = carry
        batch = gather((ring,), 0, drawn, training.sequence, sequence_start=kept.sequence_start)
        return ring, key, drawn, batch

    def everything(carry: Any) -> Any:
        ring, key = carry
        key, drawn = _drawn(take, ring, key, training.batch)
        batch = gather((ring,), 0, drawn, training.sequence, sequence_start=kept.sequence_start)
        ring = count_visits(ring, drawn, training.sequence)
        # As in an update: fresh latents come from the context. Otherwise XLA may write first, on a copy.
        fresh = jax.tree.map(jnp.add, latent, jax.tree.map(lambda x: x[None], batch.before))
        return write_back(ring, drawn, fresh), key, batch

    def append(carry: Any) -> Any:
        return record(carry, (_transition(config),), (jnp.ones((config.env.num_envs,), jnp.bool_),))

    measured = {}
    key = jax.random.key(0)
    measured["append"], rings = _time(append, rings, repeats)
    measured["draw"], (ring, key) = _time(draw_only, (rings[0], key), repeats)
    drawn = jax.jit(lambda ring, key: _drawn(take, ring, key, training.batch)[1])(ring, key)
    measured["gather"], (ring, key, _) = _time(gather_only, (ring, key, drawn), repeats)
    measured["draw_gather_write_back"], _ = _time(everything, (ring, key), repeats)
    beyond = measured["draw_gather_write_back"]["median_ms"] - measured["gather"]["median_ms"]
    measured["draw_beyond_gather"] = {"median_ms": beyond}
    return measured


def _drawn(take: Any, ring: Any, key: Any, batch: int) -> tuple[Any, Any]:
    key, env_key, index_key = jax.random.split(key, 3)
    u_env, u_index = (jax.random.uniform(k, (batch,), jnp.float32) for k in (env_key, index_key))
    return key, take(ring, u_env, u_index)


def _time(function: Any, carry: Any, repeats: int) -> tuple[dict[str, float], Any]:
    """Time `INNER` calls, each on what the one before returned; what is beyond the carry is dropped."""
    count = len(carry)
    jitted = jax.jit(function, donate_argnums=0)

    def calls(carry: Any) -> Any:
        for _ in range(INNER):
            carry = jitted(carry)[:count]
        return carry

    seconds, carry = repeat(calls, carry, repeats)
    return summary([s / INNER for s in seconds]), carry


def _latents(config: HierosConfig, lead: tuple[int, ...]) -> Latent:
    sizes = config.world_model
    shapes = ((sizes.stoch, sizes.classes), (sizes.deter,), (sizes.state_size,), ())
    return Latent(*(jnp.ones((*lead, *shape), jnp.float32) for shape in shapes))


def _transition(config: HierosConfig) -> Transition:
    lead = (config.env.num_envs,)
    no = jnp.zeros(lead, jnp.bool_)
    return Transition(
        observation=jnp.ones((*lead, *ATARI.observation.shape), jnp.uint8),
        action=jnp.ones((*lead, ATARI.action.size), jnp.float32),
        code=jnp.ones((*lead, config.subgoal.factors, config.subgoal.classes), jnp.float32),
        reward=jnp.zeros(lead, jnp.float32),
        is_first=no,
        is_last=no,
        is_terminal=no,
        latent=_latents(config, lead),
    )


if __name__ == "__main__":
    main()
