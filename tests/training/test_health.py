"""How skipped updates are noticed, and what is told of the state that they befell."""

import json
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import init, init_seeds
from hieros_eqx.agent.learn import GradientNorms
from hieros_eqx.envs.probe import memory
from hieros_eqx.errors import HierosError, TrainingError
from hieros_eqx.replay.buffer import to_bits
from hieros_eqx.training import health, log, metrics

SEEDS = (3, 0)
SPACES = memory().spaces


@pytest.fixture(scope="module")
def limited(config):
    """Return the configuration of three levels, which endure three updates in a row."""
    return replace(config, levels=3, training=replace(config.training, max_skipped_updates=3))


@pytest.fixture(scope="module")
def several(limited):
    """Return the same for two seeds side by side."""
    return replace(limited, training=replace(limited.training, seeds=SEEDS))


def blank(make):
    """Return the state that `make` would return, all zeros: nothing here needs it compiled and drawn."""

    def zeros(x):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(jnp.zeros((*x.shape, 2), jnp.uint32))
        return jnp.zeros(x.shape, x.dtype)

    return jax.tree.map(zeros, jax.eval_shape(make))


@pytest.fixture(scope="module")
def one(limited):
    return blank(lambda: init(limited, SPACES, jax.random.key(0)))


@pytest.fixture(scope="module")
def both(several):
    return blank(lambda: init_seeds(several, SPACES, SEEDS))


def with_counts(state, worker, upper):
    parts = state.learner.worker, state.learner.upper
    return eqx.tree_at(
        lambda s: (s.learner.worker.skipped_in_row, s.learner.upper.skipped_in_row),
        state,
        tuple(
            jnp.asarray(n, part.skipped_in_row.dtype) for n, part in zip((worker, upper), parts, strict=True)
        ),
    )


def asked(state):
    return health.too_many(metrics.fetch(health.skipped_in_row(state)), state.config)


def test_levels_that_skip_too_many_updates_in_a_row_are_named(one):
    seed = one.config.training.seed
    assert asked(one) == []
    assert asked(with_counts(one, 2, [2, 2])) == []
    assert asked(with_counts(one, 3, [0, 7])) == [health.Row(seed, 2, 7), health.Row(seed, 0, 3)]


def test_so_are_the_seeds(both):
    assert asked(both) == []
    rows = asked(with_counts(both, [0, 4], [[3, 1], [2, 9]]))
    assert rows == [health.Row(0, 2, 9), health.Row(0, 0, 4), health.Row(3, 1, 3)]


def test_a_single_level_has_no_levels_above(limited):
    config = replace(limited, levels=1)
    state = blank(lambda: init(config, SPACES, jax.random.key(0)))
    assert len(health.skipped_in_row(state)) == 1
    state = eqx.tree_at(lambda s: s.learner.worker.skipped_in_row, state, jnp.int32(3))
    assert asked(state) == [health.Row(config.training.seed, 0, 3)]


def test_counts_and_metrics_come_with_one_fetch(one, monkeypatch):
    calls, fetch = [], metrics.fetch
    monkeypatch.setattr(metrics, "fetch", lambda tree: calls.append(tree) or fetch(tree))
    means = {}
    for x in (1.0, 4.0):
        norms = GradientNorms(*map(jnp.float32, (x, 0, 0, 2 * x)))
        means = metrics.add(means, {"level0": {"gradient_norm": norms, "skipped": jnp.float32(x > 1)}})
    means, counts = metrics.fetch((means, health.skipped_in_row(with_counts(one, 5, [0, 0]))))
    (line,) = metrics.averages(means)
    assert len(calls) == 1
    assert [row.level for row in health.too_many(counts, one.config)] == [0]
    assert line["level0/skipped"] == 0.5
    assert line["level0/gradient_norm/world_model"] == 2.5


def sickened(state, index=()):
    """Return a state with a fault in each place that a diagnosis looks at; `index` is that of a seed."""
    at = (index,) if isinstance(index, int) else ()
    places = [
        (lambda s: s.params.upper[0].actor.head.mlp.output.weight, (0, 0), np.nan),
        (lambda s: s.params.worker.world_model.output.weight, (1, 0), -1e20),
        (lambda s: s.learner.worker.critic_optimizer[1][0].nu, (0,), np.inf),
        (lambda s: s.learner.worker.autoencoder_beta, (), np.inf),
        (lambda s: s.replay[0].reward, (1, 2), np.nan),
        (lambda s: s.replay[0].reward, (1, 3), -8.0),
        (lambda s: s.replay[0].observation, (0, 0, 1), np.inf),
        (lambda s: s.replay[0].count, (1,), 5),
        (lambda s: s.replay[1].deter, (0, 3, 0), to_bits(jnp.float32(np.nan))),
        (lambda s: s.replay[1].deter, (0, 3, 1), to_bits(jnp.float32(-np.inf))),
        (lambda s: s.replay[1].deter, (0, 4, 1), to_bits(jnp.float32(-96.0))),
    ]
    for where, entry, value in places:
        leaf = where(state)
        state = eqx.tree_at(where, state, leaf.at[(*at, *entry)].set(value))
    return state


def line(seed, **values):
    return {"seed": seed, "env_step": 40, "level0/world_model/loss": 1.5, **values}


def assert_sick(levels):
    worker, above, top = levels
    assert [own["level"] for own in levels] == [0, 1, 2]
    assert above["parameters"]["actor"]["not_finite"] == 1
    assert worker["parameters"]["actor"]["not_finite"] == 0
    assert worker["parameters"]["world_model"] == {"largest": float(np.float32(1e20)), "not_finite": 0}
    assert worker["second_moments"]["critics"] == {"largest": 0.0, "not_finite": 1}
    assert worker["autoencoder_beta"] == {"largest": 0.0, "not_finite": 1}
    assert worker["replay"]["reward"] == {"largest": 8.0, "not_finite": 1}
    assert worker["replay"]["observation"] == {"largest": 0.0, "not_finite": 1}
    assert worker["replay"]["entries"] == 5
    assert above["replay"]["deter"] == {"largest": 96.0, "not_finite": 1}  # entries
    assert "observation" not in above["replay"]
    assert top["replay"]["deter"] == {"largest": 0.0, "not_finite": 0}


def test_a_diagnosis_says_where_numbers_are_not_finite(one, tmp_path):
    state = with_counts(sickened(one), 2, [4, 0])
    sick = line(0, **{"level0/skipped": 1.0, "level0/gradient_norm/actor": float("nan")})
    found = health.diagnose(state, [sick])
    log.write_json(tmp_path / health.FILE, found)
    assert json.loads((tmp_path / health.FILE).read_text()) == found
    assert (found["env_step"], found["train_step"], found["max_skipped_updates"]) == (40, [0, 0, 0], 3)
    (own,) = found["seeds"]
    assert (own["seed"], own["metrics_not_finite"]) == (0, ["level0/gradient_norm/actor"])
    assert [level["skipped_in_row"] for level in own["levels"]] == [2, 4, 0]
    assert_sick(own["levels"])


def test_a_diagnosis_tells_seeds_apart(both):
    found = health.diagnose(sickened(both, 1), [line(3), line(0, **{"level1/skipped": float("inf")})])
    healthy, sick = found["seeds"]
    assert (healthy["seed"], healthy["metrics_not_finite"]) == (3, [])
    assert (sick["seed"], sick["metrics_not_finite"]) == (0, ["level1/skipped"])
    assert_sick(sick["levels"])
    assert '"not_finite": 1' not in json.dumps(healthy)


@pytest.mark.parametrize("run_dir", [None, Path("runs/seven")])
def test_the_error_says_what_to_do(limited, run_dir):
    error = health.failure([health.Row(3, 1, 12), health.Row(0, 0, 5)], limited, 4500, run_dir)
    assert isinstance(error, TrainingError) and isinstance(error, HierosError)
    text = str(error)
    for words in (
        "level 1 of seed 3",
        "training.max_skipped_updates = 3",
        "got 12",
        "4,500",
        "learning rates",
    ):
        assert words in text
    assert ("runs/seven/diagnosis.json" in text and "saved in runs/seven" in text) == (run_dir is not None)
    assert ("nothing is saved" in text) == (run_dir is None)
    alone = str(health.failure([health.Row(3, 1, 12)], limited, 4500, run_dir))
    assert "1 more" in text and "more of its" not in alone
