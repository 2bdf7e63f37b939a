"""A program of its own: eight seeds spread over four devices, against two of them alone on one device each.

Prints one JSON object of findings. `test_seeds_mesh.py` runs it with production's defaults in an environment
that gives JAX four CPU devices and lets it log its compilations.
"""

import json
import logging
import re
import sys
from typing import Any

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

SEEDS = (5, 1, 4, 2, 7, 0, 6, 9)
CHOSEN = (2, 5)  # indices of the seeds that are looked at alone: the first and the second of a device
STEPS = 60
CONFIG = tiny(
    levels=2,
    world_model={"s5": {"double": False}, "head_layers": 1, "mlp_layers": 1},
    behaviour={"layers": 1, "epsilon": 0.5},
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


def on_first_device(state):
    """Return a copy there, so that states of different devices share their programs."""
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
    chosen = [select_seed(spread, index) for index in CHOSEN]
    fresh = [init(CONFIG, SPACES, jax.random.key(SEEDS[index])) for index in CHOSEN]
    return {
        "fresh_lies_on_its_devices": lies_where_it_should(spread, mesh),
        "fresh_as_alone": equal(chosen, fresh),
        "devices_of_selected": [device.id for state in chosen for device in state.key.devices()],
    }


def playing(spread, alone):
    given = spread.carry, spread.replay, spread.key, spread.env_step
    spread, actions = play(spread, SEEDS)
    played = [play(state, SEEDS[index : index + 1]) for index, state in zip(CHOSEN, alone, strict=True)]
    found = {
        "act_donates": is_gone(given),
        "actions_as_alone": all(
            bool((actions[:, [index]] == own).all()) for index, (_, own) in zip(CHOSEN, played, strict=True)
        ),
        "actions_differ": bool((actions[:, 0] != actions[:, 1]).any()),
    }
    return found, spread, [state for state, _ in played]


def learning(spread, alone):
    given = spread.params, spread.learner, spread.replay, spread.key, spread.train_step
    spread, metrics = update(spread, 2)
    found: dict[str, Any] = {"update_donates": is_gone(given), "metrics": [], "params": [], "learner": []}
    for index, state in zip(CHOSEN, alone, strict=True):
        state, own = update(state, 2)
        found["metrics"].append(deviation(select_seed(metrics, index), own))
        found["params"].append(deviation(select_seed(spread.params, index), state.params))
        found["learner"].append(deviation(select_seed(spread.learner, index), state.learner))
    return found, spread


def main():
    compilations = Compilations()
    logger = logging.getLogger("jax")
    logger.handlers, logger.propagate = [compilations], False
    mesh = seed_mesh(len(SEEDS))
    spread = init_seeds(CONFIG, SPACES, SEEDS, mesh)
    found = meshes() | beginnings(spread, mesh)
    played, spread, alone = playing(spread, [on_first_device(select_seed(spread, i)) for i in CHOSEN])
    learned, spread = learning(spread, alone)
    spread, _ = play(update(spread, 2)[0], SEEDS)
    found |= played | learned
    found["stays_on_its_devices"] = lies_where_it_should(spread, mesh)
    found["counters"] = [int(spread.env_step), *spread.train_step.tolist()]
    found["collectives"] = collectives(spread)
    found["compilations"] = {name: compilations.names.count(name) for name in PROGRAMS}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
