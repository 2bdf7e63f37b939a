"""A program of its own: seeds spread over four devices, against one device and against one seed alone.

Prints one JSON object of findings. `test_seeds_mesh.py` runs it with production's defaults in an environment
that gives JAX four CPU devices and lets it log its compilations.
"""

import json
import logging
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np

from hieros_eqx.agent import act, init, init_seeds, seed_mesh, select_seed, update
from hieros_eqx.agent.seeds import seed_axis, state_shardings
from hieros_eqx.agent.step import _act
from hieros_eqx.agent.update import _update_worker
from hieros_eqx.envs.probe import memory
from hieros_eqx.types import Timestep
from tests.agent.conftest import NUM_ENVS, tiny

SEEDS = (5, 1, 4, 2)
CHOSEN = 2  # the index of the seed that is looked at alone
STEPS = 60
CONFIG = tiny(
    levels=2,
    world_model={"s5": {"double": False}, "head_layers": 1, "mlp_layers": 1},
    behaviour={"layers": 1},
    subgoal={"layers": 1},
)
SPACES = memory(images=True).spaces  # pictures, for vmap makes loops over seeds of convolutions
COLLECTIVES = r"\b(?:all-gather|all-reduce|all-to-all|collective-\w+|reduce-scatter)"
PROGRAMS = ("_init_learned", "_act", "_update_worker", "_update_upper")


class Compilations(logging.Handler):
    """Notes the name of every program that is compiled."""

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def emit(self, record):
        self.names += re.findall(r"^Compiling jit\((\w+)\)", record.getMessage())


def numbers(tree):
    """Return the leaves of a tree on the host; keys as the numbers that they are made of."""
    leaves = jax.tree.leaves(tree)
    is_key = [jnp.issubdtype(x.dtype, jax.dtypes.prng_key) for x in leaves]
    return [np.array(jax.random.key_data(x) if key else x) for x, key in zip(leaves, is_key, strict=True)]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(numbers(a), numbers(b), strict=True))


def deviation(a, b):
    """Return the largest relative difference of two trees' leaves, in their Euclidean norms.

    Not of single numbers: Adam's first step is `rate g / (|g| + eps)`, which of a gradient that cancels to
    nothing keeps the rounding.
    """
    pairs = zip(numbers(a), numbers(b), strict=True)
    return max(
        float(np.linalg.norm(x - y) / max(np.linalg.norm(y), 1e-30))
        for x, y in pairs
        if np.issubdtype(x.dtype, np.floating)
    )


def is_gone(*trees):
    return all(x.is_deleted() for x in jax.tree.leaves(trees))


def lies_where_it_should(state, mesh):
    wanted = jax.tree.leaves(state_shardings(state, mesh))
    pairs = zip(jax.tree.leaves(state), wanted, strict=True)
    return all(x.sharding.is_equivalent_to(sharding, x.ndim) for x, sharding in pairs)


def on_one_device(state):
    """Return a copy of a state on the first device alone."""
    return jax.tree.map(jnp.copy, jax.device_put(state, jax.devices()[0]))


def play(state, seeds):
    """Return the state after some steps in the environments of `seeds`, and the actions `[step seed env]`."""
    envs = [memory(num_envs=NUM_ENVS, seed=seed, images=True) for seed in seeds]
    timesteps, actions = [env.reset() for env in envs], []
    joined = (lambda *x: np.stack(x)) if state.key.ndim else (lambda x: x)
    for _ in range(STEPS):
        state, action = act(state, jax.tree.map(joined, *timesteps))
        actions.append(np.array(action).reshape(len(envs), NUM_ENVS))
        timesteps = [env.step(own) for env, own in zip(envs, actions[-1], strict=True)]
    return state, np.stack(actions)


def collectives(state):
    """Return the collective operations in the programs of acting and of the worker's update, as compiled."""
    lead, seeds = state.carry.clock.shape, seed_axis(state.key)
    flags = [np.zeros(lead, np.bool_)] * 3
    picture = np.zeros((*lead, *SPACES.observation.shape), np.uint8)
    timestep = Timestep(picture, np.zeros(lead, np.float32), *flags)
    acting = _act.lower(
        state.params, state.carry, state.replay, state.key, state.env_step, timestep, seeds=seeds
    )
    worker = state.params.worker, state.learner.worker, state.train_step, state.replay[0]
    learning = _update_worker.lower(state.key, *worker, config=CONFIG, seeds=seeds)
    return [re.findall(COLLECTIVES, program.compile().as_text()) for program in (acting, learning)]


def meshes():
    found = {f"mesh_of_{n}": getattr(seed_mesh(n), "size", None) for n in (1, 2, 3, 4, 5, 6, 8)}
    return found | {"mesh_of_two_devices": seed_mesh(4, jax.devices()[1:3]).size}


def beginnings(spread, mesh):
    chosen = select_seed(spread, CHOSEN)
    of_two_on_each_device = select_seed(init_seeds(CONFIG, SPACES, range(8), seed_mesh(8)), 5)
    return {
        "fresh_lies_on_its_devices": lies_where_it_should(spread, mesh),
        "fresh_as_alone": equal(chosen, init(CONFIG, SPACES, jax.random.key(SEEDS[CHOSEN]))),
        "sixth_as_alone": equal(of_two_on_each_device, init(CONFIG, SPACES, jax.random.key(5))),
        "devices_of_selected": [next(iter(s.key.devices())).id for s in (chosen, of_two_on_each_device)],
    }


def playing(spread, gathered, alone):
    given = spread.carry, spread.replay, spread.key, spread.env_step
    spread, actions = play(spread, SEEDS)
    gathered, others = play(gathered, SEEDS)
    alone, own = play(alone, SEEDS[CHOSEN : CHOSEN + 1])
    found = {
        "act_donates": is_gone(given),
        "actions_as_on_one_device": bool((actions == others).all()),
        "actions_as_alone": bool((actions[:, CHOSEN] == own[:, 0]).all()),
        "actions_differ": bool((actions[:, 0] != actions[:, 1]).any()),
    }
    return found, spread, gathered, alone


def learning(spread, gathered, alone):
    given = spread.params, spread.learner, spread.replay, spread.key, spread.train_step
    spread, metrics = update(spread, 2)
    gathered, others = update(gathered, 2)
    alone, own = update(alone, 1)
    chosen = select_seed(gathered, CHOSEN)
    found = {
        "update_donates": is_gone(given),
        "metrics_from_one_device": deviation(metrics, others),
        "metrics_from_alone": deviation(select_seed(others["level0"], CHOSEN), own["level0"]),
    }
    for name in ("params", "learner"):
        many, few, one, single = (getattr(state, name) for state in (spread, gathered, chosen, alone))
        found[f"{name}_from_one_device"] = deviation(many, few)
        found[f"{name}_from_alone"] = deviation(one.worker, single.worker)
    return found, spread


def main():
    compilations = Compilations()
    logger = logging.getLogger("jax")
    logger.handlers, logger.propagate = [compilations], False
    mesh = seed_mesh(len(SEEDS))
    spread = init_seeds(CONFIG, SPACES, SEEDS, mesh)
    found = meshes() | beginnings(spread, mesh)
    played, *states = playing(spread, on_one_device(spread), select_seed(spread, CHOSEN))
    learned, spread = learning(*states)
    spread, _ = play(update(spread, 2)[0], SEEDS)
    found |= played | learned
    found["stays_on_its_devices"] = lies_where_it_should(spread, mesh)
    found["counters"] = [int(spread.env_step), *spread.train_step.tolist()]
    found["collectives"] = collectives(spread)
    found["compilations"] = {name: compilations.names.count(name) for name in PROGRAMS}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
