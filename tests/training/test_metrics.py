from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from hieros_eqx.training import metrics


class WorldModel(NamedTuple):
    reconstruction: Any
    reward: Any


class Behaviour(eqx.Module):
    entropy: Any


class Level(NamedTuple):
    world_model: WorldModel
    behaviour: Behaviour
    absent: None = None


def level(x):
    return Level(WorldModel(jnp.float32(x), jnp.int32(2)), Behaviour(jnp.asarray(10.0 * x, jnp.bfloat16)))


def test_keys_are_field_paths():
    assert list(metrics.flatten({"level0": level(1.0)})) == [
        "level0/world_model/reconstruction",
        "level0/world_model/reward",
        "level0/behaviour/entropy",
    ]


def test_means_are_per_group_and_fetched_once(monkeypatch):
    calls = []
    monkeypatch.setattr(metrics, "fetch", lambda tree: calls.append(tree) or jax.device_get(tree))
    means = {}
    for x, with_upper in [(1.0, True), (2.0, False), (6.0, True)]:
        means = metrics.add(means, {"level0": level(x)} | ({"level1": level(-x)} if with_upper else {}))
    assert calls == []
    (found,) = metrics.mean(means)
    assert found == {
        "level0/world_model/reconstruction": 3.0,
        "level0/world_model/reward": 2.0,
        "level0/behaviour/entropy": 30.0,
        "level1/world_model/reconstruction": -3.5,
        "level1/world_model/reward": 2.0,
        "level1/behaviour/entropy": -35.0,
    }
    assert len(calls) == 1
    assert metrics.mean({}) == [{}]
    assert len(calls) == 1


def test_means_of_seeds_side_by_side_are_those_of_each_alone(monkeypatch):
    calls = []
    monkeypatch.setattr(metrics, "fetch", lambda tree: calls.append(tree) or jax.device_get(tree))
    values = jnp.arange(6, dtype=jnp.float32).reshape(2, 3)  # [update seed]
    together, alone = {}, [{}, {}, {}]
    for update in values:
        together = metrics.add(together, {"level0": jax.vmap(level)(update)})
        alone = [metrics.add(m, {"level0": level(x)}) for m, x in zip(alone, update, strict=True)]
    found = metrics.mean(together, 3)
    assert len(calls) == 1
    assert found == [metrics.mean(means)[0] for means in alone]
    assert [line["level0/world_model/reconstruction"] for line in found] == [1.5, 2.5, 3.5]
    assert metrics.mean({}, 3) == [{}, {}, {}]


def test_a_group_keeps_its_metrics():
    means = metrics.add({}, {"level0": WorldModel(jnp.float32(1), jnp.float32(1))})
    with pytest.raises(ValueError, match="level0/entropy"):
        metrics.add(means, {"level0": Behaviour(jnp.float32(1))})
