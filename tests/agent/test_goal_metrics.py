"""Whether goals are reached, against a loop over the steps that were played; one factor's perplexity."""

import numpy as np
import pytest

from hieros_eqx.agent.subgoal import autoencoder_loss, goal_metrics
from hieros_eqx.config import RewardConfig, SubgoalConfig
from hieros_eqx.modules import SubgoalAutoencoder
from tests.modules.builders import filled
from tests.oracles import distributions

T, B, FACTORS, CLASSES, DETER = 9, 2, 3, 4, 5


@pytest.fixture(scope="module")
def autoencoder():
    config = SubgoalConfig(factors=FACTORS, classes=CLASSES, hidden=6, layers=1)
    return filled(lambda key: SubgoalAutoencoder(DETER, config, key=key), np.random.default_rng(1))


@pytest.fixture
def played(rng):
    """Codes that change every three steps, an episode that begins at step 5 of the second sequence."""
    numbers = rng.integers(CLASSES, size=(4, B, FACTORS))[np.arange(T) // 3]
    is_first = np.zeros((T, B), bool)
    is_first[5, 1] = True
    numbers[5:, 1] = (numbers[5:, 1] + 1) % CLASSES
    return np.eye(CLASSES)[numbers], rng.normal(size=(T, B, DETER)), is_first


@pytest.mark.parametrize("norm", ["squared", "plain"])
def test_goals_at_both_ends(autoencoder, played, norm):
    code, deter, is_first = played
    got = goal_metrics(autoencoder, code, deter, is_first, RewardConfig(subgoal_norm=norm))
    given, left, others = [], [], []
    for t in range(1, T):
        for b in range(B):
            if (code[t, b] != code[t - 1, b]).any() and not is_first[t, b]:
                for found, which in ((given, (t, b)), (left, (t - 1, b)), (others, (t - 1, (b + 1) % B))):
                    goal = autoencoder.decode(code[which])
                    found.append(max(0, distributions.subgoal_reward(goal, deter[t, b], norm == "squared")))
    assert len(given) >= 3
    np.testing.assert_allclose(got, [np.mean(given), np.mean(left), np.mean(others)], rtol=1e-9)
    assert len(set(got)) == 3


def test_a_goal_that_is_reached(autoencoder, played):
    """A worker whose h is the goal it held gets 1 at the end of every macro-step."""
    code, _, is_first = played
    held = np.concatenate([code[:1], code[:-1]])
    got = goal_metrics(autoencoder, code, autoencoder.decode(held), is_first, RewardConfig())
    assert got.left == pytest.approx(1)
    assert got.given < 1 and got.others < 1


def test_without_goals_there_is_nothing_to_reach(autoencoder, played):
    code, deter, is_first = played
    assert goal_metrics(autoencoder, 0 * code, deter, is_first, RewardConfig()) == (0, 0, 0)


def test_perplexity_of_each_factor(autoencoder, rng):
    h = rng.normal(size=(50, DETER))
    _, metrics = autoencoder_loss(autoencoder, h, None, np.float64(0.5))
    chosen = autoencoder.logits(h).argmax(-1)
    wanted = []
    for factor in range(FACTORS):
        share = np.array([np.mean(chosen[:, factor] == c) for c in range(CLASSES)])
        wanted.append(np.exp(-sum(s * np.log(s) for s in share if s > 0)))
    np.testing.assert_allclose(metrics.perplexity_by_factor, wanted, rtol=1e-9)
    np.testing.assert_allclose(metrics.perplexity, np.mean(wanted), rtol=1e-9)
