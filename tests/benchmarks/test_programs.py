"""The programs and parts that benchmarks take out of the agent are the agent's, and they are all of it."""

import jax
import pytest
from flops import NONE, count
from parts import parts
from predict import ASSUMPTIONS, milliseconds
from programs import abstract_state, abstract_timestep, act_program, per_env_step, update_programs

from hieros_eqx.config import make_preset, override
from hieros_eqx.training import schedule

CONFIG = override(make_preset("debug"), ["levels=3", "training.train_every=2"])


def flops(program, state):
    return count(program.jitted.trace(*program.args(state), **program.static).jaxpr)


@pytest.fixture(scope="module")
def updates():
    state = abstract_state(CONFIG)
    return {name: flops(program, state) for name, program in update_programs(state).items()}


@pytest.fixture(scope="module")
def pieces():
    """Return the FLOPs of every part of an update of level 0 and of level 1, without running one."""
    found = {}

    def trace(state, level):
        for name, part in parts(state, level).items():
            found[level, name] = count(jax.make_jaxpr(part.function)(*part.args))
        return 0

    for level in (0, 1):
        jax.eval_shape(lambda state, level=level: trace(state, level), abstract_state(CONFIG))
    return found


@pytest.mark.parametrize("level", [0, 1])
def test_the_parts_make_an_update(updates, pieces, level):
    whole = updates["level0"] if level == 0 else updates["level1"]
    once = sum((pieces[level, name] for name in ("world model", "imagination")), NONE)
    behaviour = sum((pieces[level, name] for name in ("behaviour", "autoencoder", "goals")), NONE)
    assert (once + behaviour).flops == whole.flops
    assert pieces[level, "replay"].flops == pieces[level, "optimiser"].flops == 0


def test_the_world_model_has_no_other_costs_than_its_parts(pieces):
    """But for the small layers before the stack and after its states, and gradients for the images."""
    inside = sum((flops for (level, name), flops in pieces.items() if level == 0 and "- " in name), NONE)
    whole = pieces[0, "world model"]
    assert inside.convolution == whole.convolution > 0
    assert 0.7 < inside.matmul / whole.matmul < 1.1


def test_levels_above_are_stacked(updates):
    assert updates["levels1-2"] == updates["level1"].times(2)


def test_seeds_side_by_side_cost_as_many_times(updates):
    state = abstract_state(CONFIG, seeds=3)
    program = update_programs(state)["level0"]
    assert flops(program, state).flops == 3 * updates["level0"].flops
    act = act_program(state, abstract_timestep(CONFIG, seeds=3))
    assert flops(act, state).flops > 0


def test_the_cost_of_a_step_follows_the_schedule():
    """Over a long run the amortised cost equals the sum over the schedule."""
    costs = [5.0, 7.0, 11.0]
    steps = range(CONFIG.train_start(2), CONFIG.train_start(2) + 10 * CONFIG.train_period(2))
    total = 0.0
    for env_step in steps:
        depth = schedule.due_depth(CONFIG, env_step)
        total += (costs[0] if depth else 0) + (costs[depth - 1] if depth > 1 else 0)
    assert per_env_step(CONFIG, costs, act=0.25) == pytest.approx(total / len(steps) + 0.25)


def test_a_prediction_by_hand():
    costs = {"flops": 4e9, "least_bytes": 1.675e9, "bytes": 3.35e9, "launches": 500}
    best, worst = (milliseconds(costs, "float32", case) for case in ("at_best", "at_worst"))
    assert ASSUMPTIONS["peak_tflops"]["float32"] == 400
    assert best == pytest.approx({"compute_ms": 0.025, "memory_ms": 0.625, "launch_ms": 1.0, "ms": 1.0})
    assert worst == pytest.approx({"compute_ms": 0.1, "memory_ms": 2.0, "launch_ms": 2.0, "ms": 4.5})
