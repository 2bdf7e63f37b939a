"""Atari is brought back to where it was, bit for bit: by resets and the open episodes, or all actions."""

import functools
import re

import numpy as np
import pytest
from repeating import assert_goes_on, play, until

from hieros_eqx.envs import NotRepeatable, RecordedEnv, make_envpool_atari

pytest.importorskip("envpool")

KNOWN = 230
AFTER = 200
LIMIT = 110  # steps; random play of RoadRunner is over before and after that: both ends come up


def maker(game, seeds, limit=LIMIT, **options):
    return functools.partial(make_envpool_atari, game, seeds=seeds, max_episode_frames=4 * limit, **options)


def played(make, steps=KNOWN + AFTER):
    env = RecordedEnv(make())
    seen = play(env, steps, seed=3)
    env.close()
    return make, seen, env.history()


@pytest.fixture(scope="module")
def one():
    return played(maker("RoadRunner", [5]))


@pytest.fixture(scope="module")
def three():
    return played(maker("RoadRunner", [5, 11, 2]))


def first_end(seen, terminal):
    """The step of the first end of this kind, in whichever environment."""
    return next(t for t, x in enumerate(seen) if (x.is_last & (x.is_terminal == terminal)).any())


POINTS = {  # name: (where the last known timestep is, whether an action after it was not answered)
    "first timestep": (lambda _: 0, False),
    "first answer missing": (lambda _: 0, True),
    "first answer": (lambda _: 1, False),
    "cut short": (lambda seen: first_end(seen, False), False),
    "answer after the end missing": (lambda seen: first_end(seen, False), True),
    "over": (lambda seen: first_end(seen, True), False),
    "new episode": (lambda seen: first_end(seen, True) + 1, False),
    "answer of a new episode missing": (lambda seen: first_end(seen, True) + 1, True),
    "amid": (lambda _: KNOWN, False),
}
FEW = ["first answer missing", "answer after the end missing", "over", "amid"]


@pytest.mark.parametrize(
    ("which", "point", "after"),
    [("one", point, AFTER) for point in POINTS] + [("three", point, AFTER // 2) for point in FEW],
)
def test_every_point_is_reached_by_resets(which, point, after, request):
    make, seen, history = request.getfixturevalue(which)
    find, unanswered = POINTS[point]
    at = find(seen)
    env = RecordedEnv(make(), again=make)
    timestep, found = env.repeat(until(history, at + 1, unanswered=unanswered))
    assert found.how == "resets"
    assert_goes_on(env, timestep, history, seen, at + unanswered, after)
    env.close()


def test_resets_and_actions_lead_to_the_same_point(three):
    make, seen, history = three
    known = until(history, KNOWN + 1)
    slow, fast = RecordedEnv(make()), RecordedEnv(make(), again=make)
    for env in (slow, fast):
        timestep, found = env.repeat(known)
        assert_goes_on(env, timestep, history, seen, KNOWN, 20)
        env.close()
        if env is slow:
            assert found.how == "actions" and found.steps == 3 * (KNOWN + 1)
    opened = known.first[::-1].argmax(0) + known.first.sum(0)  # actions of the open episodes, and resets
    assert found.how == "resets" and found.steps == opened.sum() < 3 * KNOWN / 2
    assert len(set(opened)) > 1


@pytest.mark.parametrize(
    "make",
    [
        maker("HauntedHouse", [0], 40),  # what an episode left in memory shows late in the next one
        maker("RoadRunner", [5], 40, repeat_action_probability=0.25),
    ],
    ids=["memory", "sticky"],
)
def test_games_that_remember_are_played_in_full(make):
    make, seen, history = played(make, 70 + AFTER)
    at = 65
    assert history.first[1 : at + 1].any()
    env = RecordedEnv(make(), again=make)
    timestep, found = env.repeat(until(history, at + 1))
    assert found.how == "actions"
    assert_goes_on(env, timestep, history, seen, at, AFTER)
    env.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (maker("RoadRunner", [5, 12, 2]), "environment 1 did not repeat itself at step"),
        (maker("Alien", [5, 11, 2]), "environment 0 did not repeat itself at step 0"),
        (maker("RoadRunner", [5, 11, 2], 20), "environment 0 did not repeat itself at step 20:"),
        (maker("Breakout", [5, 11, 2]), "actions from 0 to 3, got 0 to 17"),
    ],
    ids=["seed", "game", "limit", "actions"],
)
def test_other_environments_are_noticed(make, message, three):
    env = RecordedEnv(make())
    with pytest.raises(NotRepeatable, match=message):
        env.repeat(three[-1])
    env.close()


def test_another_action_is_noticed_no_sooner_than_at_its_answer(three):
    make, _, history = three
    actions = history.actions.copy()
    actions[70:76, 0] = (actions[70:76, 0] + 1) % 18  # several, for not every one has an effect
    env = RecordedEnv(make())
    with pytest.raises(NotRepeatable, match="environment 0 did not repeat itself") as caught:
        env.repeat(history._replace(actions=actions))
    (step,) = re.findall(r"at step (\d+)", str(caught.value))
    assert 70 < int(step) <= 76
    env.close()


def test_another_memory_behind_the_same_picture_is_noticed(one, monkeypatch):
    make, _, history = one
    env = RecordedEnv(make())
    simulator = type(env._env._simulator)
    original = simulator._answer

    def one_byte(self, *args):
        answer = original(self, *args)
        self.hidden = self.hidden ^ np.eye(1, 128, 77, np.uint8)
        return answer

    monkeypatch.setattr(simulator, "_answer", one_byte)
    with pytest.raises(NotRepeatable, match="environment 0 did not repeat itself at step 1:"):
        env.repeat(history)
    env.close()
