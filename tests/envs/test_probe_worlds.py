"""Errands, corridor, pixel catch and pin pad keep their promises: best policies, chance, pictures."""

import numpy as np
import pytest

from hieros_eqx.envs import CheckedEnv
from hieros_eqx.envs.pin_pad import COLORS, MOVES, PLAYER, TEXT_ROWS, layout, pin_pad
from hieros_eqx.envs.probe_worlds import corridor, errands, pixel_catch
from hieros_eqx.errors import EnvError


def play(env, policy, steps):
    """Returns of all finished episodes, and whether each was cut."""
    env, returns, total = CheckedEnv(env), [], np.zeros(env.num_envs)
    now = env.reset()
    for _ in range(steps):
        now = env.step(policy(now))
        total = np.where(now.is_first, 0, total + now.reward)
        for i in np.flatnonzero(now.is_last):
            returns.append((round(float(total[i]), 5), bool(now.is_terminal[i])))
    return returns


class FollowCue:
    """Go where the last visible cue pointed."""

    def __call__(self, now):
        shown = now.observation[:, 0]
        self.cue = np.where(shown != 0, shown, getattr(self, "cue", shown))
        return (self.cue > 0).astype(int)


def test_errands_are_run_by_who_follows_the_cue():
    assert set(play(errands(num_envs=3, length=3, count=2), FollowCue(), 40)) == {(1, True)}


def test_errands_by_chance():
    rng = np.random.default_rng(0)
    env = errands(num_envs=64, seed=1)
    returns = [r for r, _ in play(env, lambda now: rng.integers(2, size=len(now.reward)), 340)]
    assert np.mean(returns) == pytest.approx(2**-4, abs=0.02)


def test_errands_show_the_place_reached_with_the_next_cue():
    env = errands(num_envs=1, length=2, count=2)
    seen = [env.reset().observation[0]] + [env.step(np.array([1])).observation[0] for _ in range(4)]
    np.testing.assert_allclose([s[1] for s in seen], [0, 0.5, 1, 0.5, 1])
    np.testing.assert_allclose([s[2] for s in seen], [0, 0.5, 0, 0.5, 0])
    assert [abs(s[0]) for s in seen] == [1, 0, 1, 0, 1]


def test_corridor():
    right = play(corridor(num_envs=1, length=5), lambda now: np.ones(len(now.reward), int), 30)
    assert set(right) == {(1, True)} and len(right) == 5
    assert set(play(corridor(num_envs=1, length=5), lambda now: np.zeros(len(now.reward), int), 30)) == {
        (0, False)
    }


def test_the_corridor_is_too_long_for_chance():
    rng = np.random.default_rng(0)
    returns = play(corridor(num_envs=64), lambda now: rng.integers(2, size=len(now.reward)), 610)
    assert np.mean([r for r, _ in returns]) < 0.02


def test_a_walker_in_the_picture_of_the_corridor():
    env = corridor(num_envs=1, length=4, images=True)
    pictures = [env.reset().observation[0]] + [env.step(np.array([1])).observation[0] for _ in range(4)]
    assert [int(np.flatnonzero(p.any((0, 2)))[0]) for p in pictures] == [0, 15, 30, 45, 60]


def catch(now):
    """Read ball and paddle off the picture, and go to the ball."""
    actions = []
    for picture in now.observation:
        ball = np.flatnonzero((picture == 255).all(-1)[:-2].any(0))
        paddle = np.flatnonzero((picture[-1] == (80, 160, 255)).all(-1))
        offset = 0 if not len(ball) or not len(paddle) else ball.mean() - paddle.mean()
        actions.append(1 + int(np.sign(offset)) * (abs(offset) > 2))
    return np.array(actions)


def test_pixel_catch():
    returns = play(pixel_catch(num_envs=8, seed=2), catch, 200)
    assert len(returns) >= 80 and set(returns) == {(1, True)}
    still = [r for r, _ in play(pixel_catch(num_envs=64), lambda now: np.ones(len(now.reward), int), 200)]
    assert set(still) == {-1, 1}
    assert np.mean(still) == pytest.approx(-1 + 2 * 7 / 63, abs=0.1)  # 7 of 63 columns are over the paddle


@pytest.mark.parametrize("pads", [2, 3, 6])
@pytest.mark.parametrize("side", [5, 8, 14])
def test_pads_do_not_overlap_and_leave_room(pads, side):
    tiles, size = layout(pads, side), max(1, side // 4)
    assert [int((tiles == pad + 1).sum()) for pad in range(pads)] == [size**2] * pads
    assert (tiles == 0).sum() >= side**2 / 4


class Walker:
    """Walk to the pads in order, by the picture alone."""

    def __init__(self, pads, side):
        self.tiles, self.tile = layout(pads, side), (64 - TEXT_ROWS) // side

    def __call__(self, now):
        return np.array([self.act(picture) for picture in now.observation])

    def act(self, picture):
        room = picture[: 64 - TEXT_ROWS]
        corner = np.argwhere((room == PLAYER).all(-1))[0]
        row, column = corner // self.tile
        last = picture[-1, -4]
        known = np.flatnonzero((last == COLORS).all(-1))
        target = int(known[0]) + 2 if len(known) else 1
        ends = np.argwhere(self.tiles == target)
        seen, queue = {(row, column): None}, [(row, column)]
        for here in queue:  # shortest way that touches no other pad
            if self.tiles[here] == target:
                break
            for move in range(1, 5):
                step = tuple(np.clip(np.array(here) + MOVES[move], 0, len(self.tiles) - 1))
                if step not in seen and self.tiles[step] in (0, target, self.tiles[row, column]):
                    seen[step] = (here, move)
                    queue.append(step)
        here = next(tuple(end) for end in ends if tuple(end) in seen)
        move = 0
        while seen[here] is not None:
            here, move = seen[here]
        return move


def test_pin_pad_pays_for_the_order():
    env = pin_pad(num_envs=2, pads=3, side=6, length=100)
    returns = play(env, Walker(3, 6), 300)
    assert all(r >= 30 and r % 10 == 0 and not ended for r, ended in returns)


def test_pin_pad_by_chance_pays_little():
    rng = np.random.default_rng(0)
    env = pin_pad(num_envs=32, pads=4, side=10)
    returns = [r for r, _ in play(env, lambda now: rng.integers(5, size=len(now.reward)), 402)]
    assert len(returns) == 64 and np.mean(returns) < 5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: errands(length=0), "length and count"),
        (lambda: errands(count=0), "length and count"),
        (lambda: corridor(length=0), "at least 1"),
        (lambda: pixel_catch(ball=0), "ball <= paddle"),
        (lambda: pixel_catch(ball=9), "ball <= paddle"),
        (lambda: pin_pad(pads=1), "2 to 6 pads"),
        (lambda: pin_pad(side=3), "4 to 14 tiles"),
        (lambda: pin_pad(length=0), "at least 1"),
    ],
)
def test_impossible_worlds(make, words):
    with pytest.raises(EnvError, match=words):
        make()
