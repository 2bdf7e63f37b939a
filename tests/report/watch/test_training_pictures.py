"""Pictures for sinks: the right steps of the ring, a forecast that sees only its context, three rows."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.config import make_preset
from hieros_eqx.replay import init_replay
from hieros_eqx.report.watch import training_pictures
from hieros_eqx.report.watch.training_pictures import AHEAD, CONTEXT, foresee, newest_episode, strip
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces
from tests.report.toy_world_model import ToyWorldModel, play

SPACES = Spaces(
    observation=ObservationSpace(kind="image", shape=(4, 5, 3)), action=ActionSpace(kind="discrete", size=6)
)
CONFIG = make_preset("debug")
CAPACITY = CONFIG.capacity(0)


def ring(lengths, count=None, seeds=False):
    """Return a ring of episodes of these lengths; entry n has pictures of n % 251 and action n % 6."""
    empty = init_replay(replace(CONFIG, levels=1), SPACES)[0]
    total = sum(lengths) if count is None else count
    ends = np.cumsum(lengths) - 1
    numbers = np.arange(max(0, total - CAPACITY), total)
    slots = numbers % CAPACITY
    set_at = lambda x, v: x.at[0, slots].set(jnp.asarray(v, x.dtype))  # noqa: E731
    made = replace(
        empty,
        observation=set_at(empty.observation, np.ones((1, 4, 5, 3)) * (numbers % 251)[:, None, None, None]),
        action=set_at(empty.action, (numbers % 6)[:, None]),
        is_first=set_at(empty.is_first, np.isin(numbers, [0, *(ends + 1)])),
        is_last=set_at(empty.is_last, np.isin(numbers, ends)),
        count=empty.count + total,
    )
    if not seeds:
        return made
    import jax

    return jax.tree.map(lambda x: jnp.stack([x, jnp.zeros_like(x)]), made)


@pytest.mark.parametrize("seeds", [False, True])
def test_the_newest_episode_that_has_ended(seeds):
    episode = newest_episode(ring([10, 20, 30], count=45, seeds=seeds), seeds=seeds)
    np.testing.assert_array_equal(episode.observation[:, 0, 0, 0], np.arange(10, 30))
    np.testing.assert_array_equal(episode.action.argmax(1), np.arange(10, 30) % 6)
    assert episode.action.dtype == np.float32 and episode.complete
    assert episode.observation.shape == (20, 4, 5, 3)


def test_the_last_steps_of_a_long_one():
    episode = newest_episode(ring([10, 200]))
    np.testing.assert_array_equal(episode.observation[:, 0, 0, 0], np.arange(60, 210))


def test_what_there_is_as_long_as_none_has_ended():
    episode = newest_episode(ring([500], count=7))
    np.testing.assert_array_equal(episode.observation[:, 0, 0, 0], np.arange(7))
    assert not episode.complete


def test_a_ring_that_has_wrapped_within_it():
    total = CAPACITY + 90
    episode = newest_episode(ring([CAPACITY - 10, 100]))
    np.testing.assert_array_equal(episode.observation[:, 0, 0, 0], np.arange(CAPACITY - 10, total) % 251)


def test_a_model_that_knows_foresees_the_truth():
    """The toy's pictures follow from what was seen and the actions: one step off would show."""
    for unseen in (0, 5):
        (episode,) = play([CONTEXT + AHEAD[-1] + unseen])
        truth, imagined = foresee(ToyWorldModel(), episode, np.random.default_rng(0))
        at = [unseen + CONTEXT - 1 + ahead for ahead in AHEAD]
        np.testing.assert_array_equal(truth, episode.observation[at])
        imagined[..., 1] += unseen  # green counts the steps that the model has seen
        np.testing.assert_array_equal(imagined, truth)


def test_an_episode_that_is_too_short_is_refused():
    (episode,) = play([CONTEXT + AHEAD[-1] - 1])
    with pytest.raises(ValueError, match="wanted an episode of at least 31 steps, got 30"):
        foresee(ToyWorldModel(), episode, np.random.default_rng(0))


def test_a_strip_is_truth_prediction_and_error():
    truth, imagined = np.full((7, 4, 5, 3), 10, np.uint8), np.full((7, 4, 5, 3), 14, np.uint8)
    found = strip(truth, imagined)
    assert found.shape == (3 * (4 + training_pictures.GAP), 7 * (5 + training_pictures.GAP), 3)
    assert [found[row, 0, 0] for row in (0, 6, 12)] == [10, 14, 4]
    assert (found[4:6] == 255).all() and (found[:, 5:7] == 255).all()
