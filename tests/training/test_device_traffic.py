"""What passes between host and device while training, and how often programs are traced."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import jax
import numpy as np
import pytest
from jax._src import array, monitoring  # neither conversions nor listeners have a public handle

from hieros_eqx.training import metrics, schedule, train

LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"


@contextmanager
def conversions():
    """Count conversions of device arrays to the host, by where they happen: inside `fetch` or not.

    On a CPU both share memory, so that JAX's transfer guard sees nothing.
    """
    counts, inside = Counter(), []
    fetch, value = metrics.fetch, array.ArrayImpl._value

    def note():
        counts["fetch" if inside else "elsewhere"] += 1

    def fetching(tree):
        counts["calls of fetch"] += 1
        inside.append(True)
        try:
            return fetch(tree)
        finally:
            inside.pop()

    def reading(self):
        note()
        return value.fget(self)

    def converting(function):
        def convert(x, *args, **options):
            if isinstance(x, jax.Array):
                note()
            return function(x, *args, **options)

        return convert

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "fetch", fetching)
        patch.setattr(array.ArrayImpl, "_value", property(reading))
        for name in ("asarray", "array", "ascontiguousarray"):
            patch.setattr(np, name, converting(getattr(np, name)))
        yield counts


@contextmanager
def lowerings():
    """Yield a list that the names of all programs are appended to as they are lowered."""
    names = []

    def listen(event, _seconds, **details):
        if event == LOWERED:
            names.append(details["fun_name"])

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        monitoring.unregister_event_duration_listener(listen)


@pytest.fixture(scope="module")
def traffic(config):
    """Return what a run converted and lowered, the latter also up to every log line.

    With a seed of its own it is traced anew, but compiled from the cache that all runs here share.
    """
    config = replace(config, training=replace(config.training, seed=5))
    at_line = {}
    with lowerings() as lowered, conversions() as counts:
        train(
            config,
            callbacks=[lambda _, record: at_line.update({record["env_step"]: len(lowered)})],
            progress=False,
        )
    return config, counts, lowered, at_line


def test_each_program_is_traced_once(traffic):
    config, _, lowered, _ = traffic
    names = Counter(name for name in lowered if name.startswith("jit(_"))
    assert names["jit(_act)"] == names["jit(_update_worker)"] == 1
    assert names["jit(_update_upper)"] == config.levels - 1  # one for each depth


def test_nothing_is_lowered_once_every_depth_has_come(traffic):
    config, _, lowered, at_line = traffic
    steps = range(1, config.training.env_steps)
    first = next(step for step in steps if schedule.due_depth(config, step) == config.levels)
    settled = min(step for step in at_line if step >= first)
    assert settled < max(at_line)
    assert lowered[at_line[settled] :] == []


def test_the_host_reads_actions_and_metrics_by_fetch_alone(traffic):
    config, counts, _, at_line = traffic
    steps = config.training.env_steps // config.env.num_envs
    assert counts["calls of fetch"] == steps + len(at_line)
    assert counts["fetch"] >= counts["calls of fetch"]
    assert counts["elsewhere"] == 0


def test_conversions_elsewhere_would_be_noticed():
    x = jax.jit(lambda: jax.numpy.arange(3.0, dtype=np.float32))()
    ways = {
        "asarray": lambda: np.asarray(x + 1),
        "array": lambda: np.array(x + 1),
        "device_get": lambda: jax.device_get(x + 1),
        "float": lambda: float(x[0]),
        "bool": lambda: bool((x > 0).all()),
        "tolist": lambda: (x + 1).tolist(),
    }
    for name, way in ways.items():
        with conversions() as counts:
            way()
        assert counts["elsewhere"] > 0, name
