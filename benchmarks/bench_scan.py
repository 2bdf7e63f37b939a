"""Time the S5 recurrence in its two forms, and a whole S5 stack, against the length of the sequence.

    python benchmarks/bench_scan.py --preset atari100k --lengths 16 64 256 1024

Adds one line to `results/bench_scan.jsonl`. `agent` is the form that the agent takes on this platform.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from machine import compiled, config_of, options, repeat, summary, table, write

from hieros_eqx.backend import recurrence
from hieros_eqx.config import HierosConfig
from hieros_eqx.modules import S5Stack

FORMS = {
    "sequential": recurrence.linear_recurrence_sequential,
    "parallel": recurrence.linear_recurrence_parallel,
    "agent": recurrence.linear_recurrence,
}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config = config_of(chosen)
    by_length = {str(length): time_length(config, length, chosen.repeats) for length in chosen.lengths}
    names = [*(f"{form}{way}" for form in FORMS for way in ("", "_gradient")), "stack", "stack_gradient"]
    rows = [[length, *(group[name]["median_ms"] for name in names)] for length, group in by_length.items()]
    print(table([["length", *(f"{name} ms" for name in names)], *rows]))
    return write("bench_scan", chosen, arguments, {"by_length": by_length})


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "", preset="atari100k")
    parser.add_argument("--lengths", type=int, nargs="+", default=[16, 64, 256, 1024])
    return parser.parse_args(arguments)


def time_length(config: HierosConfig, length: int, repeats: int) -> dict[str, Any]:
    batch, sizes = config.training.batch, config.world_model.s5
    keys = jax.random.split(jax.random.key(0), 4)
    a = _complex(keys[0], (length, batch, sizes.state)) * 0.4  # nothing grows
    b = _complex(keys[1], (length, batch, sizes.state))
    measured = {}
    for name, form in FORMS.items():
        measured[name] = _time(form, (a, b), repeats)
        measured[f"{name}_gradient"] = _time(
            jax.grad(lambda a, b, form=form: jnp.abs(form(a, b)).sum(), argnums=(0, 1)), (a, b), repeats
        )
    stack = S5Stack(sizes, key=keys[2])
    u = jax.random.normal(keys[3], (length, batch, sizes.width), jnp.float32)
    reset = jnp.zeros((length, batch), jnp.bool_)
    before = jnp.zeros((batch, stack.state_size), jnp.float32)
    measured["stack"] = _time(_run, (stack, u, reset, before), repeats)
    gradient = jax.grad(lambda *args: sum(y.sum() for y in _run(*args)), argnums=(0, 1))
    measured["stack_gradient"] = _time(gradient, (stack, u, reset, before), repeats)
    return measured


def _run(stack: S5Stack, u: Any, reset: Any, before: Any) -> Any:
    return stack.scan(stack.prepare(), u, reset, before)[:2]


def _complex(key: Any, shape: tuple[int, ...]) -> Any:
    real, imaginary = jax.random.uniform(key, (2, *shape), jnp.float32)
    return jax.lax.complex(real, imaginary)


def _time(function: Callable[..., Any], args: tuple, repeats: int) -> dict[str, float]:
    _, executable, seconds = compiled(jax.jit(function), *args)
    times, _ = repeat(lambda _: executable(*args), None, repeats)
    return summary(times) | {"compile_s": seconds}


if __name__ == "__main__":
    main()
