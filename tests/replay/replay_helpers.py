"""Small configurations, and the way between the oracle's dicts and the arrays of the package."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from replay_oracle import Episodes, OracleReplay

from hieros_eqx.config import (
    EnvConfig,
    HierosConfig,
    ReplayConfig,
    S5Config,
    SubgoalConfig,
    TrainingConfig,
    WorldModelConfig,
)
from hieros_eqx.replay import draw, gather, init_replay, record
from hieros_eqx.types import ActionSpace, Latent, ObservationSpace, Spaces, Transition

LENGTH = 5
SIZES = {
    "observation": (3, 2, 4),
    "action": 7,
    "factors": 2,
    "classes": 6,
    "stoch": 3,
    "stoch_classes": 5,
    "deter": 9,
    "state": 8,
}
IMAGES = Spaces(
    observation=ObservationSpace(kind="image", shape=SIZES["observation"]),
    action=ActionSpace(kind="discrete", size=SIZES["action"]),
)
# Long episodes: pointers bind. Tiny ones: the upper ring itself binds. Mixed, and all alike.
EPISODE_LENGTHS = ((30, 61), (1, 4), (2, 15), (7, 8))


APPEND = jax.jit(record, donate_argnums=0)


@jax.jit
def choose(buffer, u):
    """Draw by ETBS as in training; `u` is `[2 batch]`."""
    return draw(buffer, u[0], u[1], LENGTH, sampling="etbs", temperature=0.3, scale="held")


@partial(jax.jit, static_argnums=(1, 3))
def read(replay, level, chosen, sequence_start="stored"):
    """Gather the chosen sequences."""
    return gather(replay, level, chosen, LENGTH, sequence_start=sequence_start)


def small_config(levels=3, capacity=41, num_envs=4, intermediate_states=True, length=LENGTH, **replay):
    return HierosConfig(
        levels=levels,
        macro_length=3,
        intermediate_states=intermediate_states,
        env=EnvConfig(num_envs=num_envs),
        world_model=WorldModelConfig(
            s5=S5Config(width=4, state=2, num_blocks=1, init_blocks=1),
            stoch=SIZES["stoch"],
            classes=SIZES["stoch_classes"],
            deter=SIZES["deter"],
        ),
        subgoal=SubgoalConfig(factors=SIZES["factors"], classes=SIZES["classes"]),
        replay=ReplayConfig(capacity=capacity * num_envs, **replay),
        training=TrainingConfig(batch=6, sequence=length),
    )


def make_world(config, rng):
    """An empty replay, its oracle, and the episodes of every environment."""
    replay = init_replay(config, IMAGES)
    oracle = OracleReplay(config.env.num_envs, [buffer.capacity for buffer in replay])
    episodes = [
        Episodes(env, config.levels, config.macro_length, config.window, lengths, SIZES, rng)
        for env, lengths in zip(range(config.env.num_envs), EPISODE_LENGTHS * 9, strict=False)
    ]
    return replay, oracle, episodes


def step_world(oracle, episodes, rng, pause=0.15):
    """Step the environments (each pauses now and then), tell the oracle, return what `record` takes."""
    made = [e.step() if rng.random() > pause else [None] * e.levels for e in episodes]
    for env, entries in enumerate(made):
        for level, entry in enumerate(entries):
            if entry is not None:
                oracle.entries[env][level].append(entry)
    levels = range(episodes[0].levels)
    due = tuple(jnp.asarray([entries[level] is not None for entries in made]) for level in levels)
    return tuple(_transition(oracle, made, level, episodes[0], rng) for level in levels), due


def one_hot(index, classes):
    """Plain one-hot vectors, zeros for -1."""
    return (np.asarray(index)[..., None] == np.arange(classes)).astype(np.float32)


def actions(action, level):
    """The flat action vector of an entry."""
    return one_hot(action, SIZES["classes"] if level else SIZES["action"]).reshape(-1)


def _transition(oracle, made, level, example, rng):
    blank = example.entry(level, False, False)  # for the shapes of what is not due, filled with nonsense

    def column(values, dtype=np.float32):
        shape = np.shape(values(blank))
        filled = [rng.integers(0, 2, shape) if m[level] is None else values(m[level]) for m in made]
        return jnp.asarray(np.stack(filled).astype(dtype))

    if level == 0:
        observation = column(lambda e: e["observation"], np.uint8)
    else:
        newest = [len(entries[level - 1]) - 1 for entries in oracle.entries]
        ages = [
            [-7] * example.window if m[level] is None else [n - p for p in m[level]["pointers"]]
            for m, n in zip(made, newest, strict=True)
        ]
        observation = jnp.asarray(ages, jnp.int32)
    return Transition(
        observation=observation,
        action=column(lambda e: actions(e["action"], level)),
        code=column(lambda e: one_hot(e["code"], SIZES["classes"])),
        reward=column(lambda e: e["reward"]),
        is_first=column(lambda e: e["is_first"], bool),
        is_last=column(lambda e: e["is_last"], bool),
        is_terminal=column(lambda e: e["is_terminal"], bool),
        latent=Latent(
            stoch=column(lambda e: one_hot(e["stoch"], SIZES["stoch_classes"])),
            deter=column(lambda e: e["deter"]),
            state=column(lambda e: e["state"]),
            entropy=jnp.zeros(len(made), jnp.float32),
        ),
    )


def assert_batch_equals(batch, oracle, level, envs, starts, length, reset=False):
    """Compare every number of a `Batch` with the oracle's sequences."""
    for b, (env, start) in enumerate(zip(np.asarray(envs), np.asarray(starts), strict=True)):
        steps, before = oracle.sequence(int(env), level, int(start), length, reset)
        for t, entry in enumerate(steps):
            got = {
                "action": batch.action[t, b],
                "previous_action": batch.previous_action[t, b],
                "code": batch.code[t, b],
                "reward": batch.reward[t, b],
                "is_first": batch.is_first[t, b],
                "is_last": batch.is_last[t, b],
                "is_terminal": batch.is_terminal[t, b],
            }
            zero = np.zeros_like(got["action"])
            previous = entry["previous_action"]
            want = {
                "action": actions(entry["action"], level),
                "previous_action": zero if previous is None else actions(previous, level),
                "code": one_hot(entry["code"], SIZES["classes"]),
                **{name: entry[name] for name in ("reward", "is_first", "is_last", "is_terminal")},
            }
            if level == 0:
                got["observation"], want["observation"] = batch.observation[t, b], entry["observation"]
            else:
                got |= {"stoch": batch.observation.stoch[t, b], "deter": batch.observation.deter[t, b]}
                stoch = [w["stoch"] for w in entry["window"]]
                want |= {"stoch": one_hot(stoch, SIZES["stoch_classes"])}
                want |= {"deter": [w["deter"] for w in entry["window"]]}
            for name in want:
                np.testing.assert_array_equal(got[name], want[name], err_msg=f"{name} {env=} {start=} {t=}")
        _assert_context_equals(Latent(*(np.asarray(x)[b] for x in batch.before)), before)


def _assert_context_equals(latent, entry):
    entry = entry or {
        "stoch": [-1] * SIZES["stoch"],
        "deter": np.zeros(SIZES["deter"]),
        "state": np.zeros(SIZES["state"]),
    }
    np.testing.assert_array_equal(latent.stoch, one_hot(entry["stoch"], SIZES["stoch_classes"]))
    np.testing.assert_array_equal(latent.deter, entry["deter"])
    np.testing.assert_array_equal(latent.state, entry["state"])
    assert latent.entropy == 0
