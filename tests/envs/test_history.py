"""Environments are brought back to where they were: by NumPy environments of which everything is known."""

import numpy as np
import pytest
from repeating import SEEDS, Walk, assert_goes_on, play, until, walk

from hieros_eqx.envs import NextStepEnv, NotRepeatable, RecordedEnv, make_env
from hieros_eqx.envs import history as history_module
from hieros_eqx.envs.history import timestep_checks
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Timestep


@pytest.fixture(scope="module")
def walked():
    env = RecordedEnv(walk())
    seen = play(env, 400)
    return seen, env.history()


@pytest.mark.parametrize("again", [None, walk])
def test_every_point_of_a_run_is_reached_again(walked, again):
    seen, history = walked
    for at in range(60):
        for unanswered in (False, True):
            env = RecordedEnv(walk(), again=again)
            timestep, found = env.repeat(until(history, at + 1, unanswered=unanswered))
            assert found.how == ("actions" if again is None else "resets") and found.seconds >= 0
            assert_goes_on(env, timestep, history, seen, at + unanswered, steps=5)


def test_only_open_episodes_are_played_again(walked):
    _, history = walked
    known = 300
    env, whole = walk(), walk()
    _, found = RecordedEnv(env, again=walk).repeat(until(history, known))
    _, slow = RecordedEnv(whole).repeat(until(history, known))
    first = history.first[:known]
    np.testing.assert_array_equal(env._simulator.resets, first.sum(0))
    np.testing.assert_array_equal(env._simulator.steps, first[::-1].argmax(0))
    assert len(set(first.sum(0))) > 1 < len(set(first[::-1].argmax(0)))  # else it would show little
    assert found.steps == (env._simulator.resets + env._simulator.steps).sum()
    assert slow.steps == (whole._simulator.resets + whole._simulator.steps).sum() == 3 * known


def test_what_an_episode_leaves_behind_is_noticed_and_all_is_played(monkeypatch):
    original = RecordedEnv(walk(seeds=(7,), leftover=True))
    seen = play(original, 100)
    history = original.history()
    at = int(np.flatnonzero(history.first)[3])  # of the episodes up to here, resets show the first step alone
    made = []

    def again():
        made.append(walk(seeds=(7,), leftover=True))
        return made[-1]

    start = again()
    env = RecordedEnv(start, again=again)
    timestep, found = env.repeat(until(history, at + 1))
    assert found.how == "actions" and found.steps == at + 1
    assert start._simulator.closed and len(made) == 2 and not made[1]._simulator.closed
    assert_goes_on(env, timestep, history, seen, at, steps=20)
    # without `hidden` it would have gone unnoticed
    monkeypatch.setattr(NextStepEnv, "hidden", None)
    blind = RecordedEnv(walk(seeds=(7,), leftover=True))
    play(blind, 100)
    env = RecordedEnv(again(), again=again)
    timestep, found = env.repeat(until(blind.history(), at + 1))
    assert found.how == "resets"
    with pytest.raises(AssertionError):
        assert_goes_on(env, timestep, blind.history(), seen, at, steps=20)


def test_a_simulator_that_promises_nothing_is_played_in_full(walked, monkeypatch):
    _, history = walked
    monkeypatch.setattr(Walk, "independent_episodes", False)
    assert RecordedEnv(walk(), again=walk).repeat(history)[1].how == "actions"


@pytest.mark.parametrize("again", [None, walk])
def test_what_differs_is_named(walked, again):
    _, history = walked
    at = int(np.flatnonzero(history.first[:, 1])[-1]) + 1  # within the last episode of environment 1
    wrong = [
        (history._replace(checks=flip(history.checks, (at, 1))), f"environment 1 .* at step {at}:"),
        (history._replace(checks=flip(history.checks, (0, 2))), "environment 2 .* at step 0:"),
        (history._replace(actions=flip(history.actions, (at - 1, 1))), f"environment 1 .* at step {at}:"),
    ]
    for changed, message in wrong:
        with pytest.raises(NotRepeatable, match=message):
            RecordedEnv(walk(), again=again).repeat(changed)
    with pytest.raises(NotRepeatable, match=r"environment 1 .* step 0: wanted CRC-32 .*is_first=True"):
        RecordedEnv(walk(seeds=(7, 4, 9)), again=again and (lambda: walk(seeds=(7, 4, 9)))).repeat(history)


def flip(array, index):
    changed = array.copy()
    changed[index] = (changed[index] + 1) % 3 if array.dtype == np.int32 else changed[index] ^ 1
    return changed


def test_an_environment_that_is_not_deterministic_is_named(walked):
    _, history = walked
    env = RecordedEnv(walk(falter=(2, 57)))
    with pytest.raises(NotRepeatable, match=r"environment 2 did not repeat itself at step 57: .* \(2,\)"):
        env.repeat(history)
    with pytest.raises(EnvError, match="wanted fresh environments, got `reset`"):
        env.reset()


@pytest.mark.parametrize("call", ["send", "recv"])
def test_after_an_environment_raised_its_last_action_is_sent_again(walked, call):
    seen, history = walked
    env = RecordedEnv(walk(breaks=(call, 41)))
    with pytest.raises(RuntimeError, match="gone"):
        play(env, 100)
    broken = env.history()
    assert len(broken.actions) == len(broken.checks) == 41
    for again in (None, walk):
        fresh = RecordedEnv(walk(), again=again)
        timestep, _ = fresh.repeat(broken)
        assert_goes_on(fresh, timestep, history, seen, 41)
    with pytest.raises(RuntimeError, match="gone"):
        RecordedEnv(walk(breaks=(call, 41))).repeat(broken)


def test_rows_from_a_point_on_append_to_those_before(monkeypatch):
    monkeypatch.setattr(history_module, "START_ROWS", 2)
    env = RecordedEnv(walk())
    rng, parts = np.random.default_rng(0), []
    env.reset()
    for t in range(50):
        if t % 7 == 0:
            parts.append(env.history(since=sum(len(part.actions) for part in parts)))
        env.step(rng.integers(0, 3, 3))
    parts.append(env.history(since=49))
    whole = env.history()
    np.testing.assert_array_equal(np.concatenate([part.actions for part in parts]), whole.actions)
    assert len(parts[-1].checks) == 2 and len(whole.checks) == 51
    whole.actions[:] = 0  # a copy
    assert env.history().actions.any()


def test_every_bit_of_a_timestep_counts(rng):
    no = np.zeros(3, np.bool_)
    timestep = Timestep(
        rng.integers(0, 256, (3, 8, 8, 3), np.uint8), np.arange(3, dtype=np.float32), no, ~no, no.copy()
    )
    hidden = rng.integers(0, 256, (3, 5), np.uint8)
    before = timestep_checks(timestep, hidden)
    assert before.dtype == np.uint32 and len(set(before)) == 3
    others = [timestep_checks(timestep), timestep_checks(timestep, hidden ^ np.uint8([0, 0, 1, 0, 0]))]
    assert all((before != other).all() for other in others)
    for name in Timestep._fields:
        changed = getattr(timestep, name).copy()
        raw = changed[1:2].view(np.uint8).reshape(-1)
        raw[-1] ^= 1
        after = timestep_checks(timestep._replace(**{name: changed}), hidden)
        np.testing.assert_array_equal(after != before, [False, True, False], err_msg=name)
    strided = np.asfortranarray(timestep.observation)
    np.testing.assert_array_equal(timestep_checks(timestep._replace(observation=strided), hidden), before)


@pytest.mark.parametrize(
    ("arguments", "package", "steps"),
    [
        ({"env_id": "hieros_eqx.envs.probe:memory"}, None, 200),
        ({"env_id": "hieros_eqx.envs.scripted:random_length"}, None, 200),
        ({"env_id": "CartPole-v1", "backend": "gymnasium"}, "gymnasium", 200),
        ({"env_id": "Pendulum-v1", "backend": "gymnasium"}, "gymnasium", 200),
        ({"env_id": "CartPole-v1", "backend": "envpool"}, "envpool", 200),
        ({"game": "Breakout", "backend": "ale", "max_episode_frames": 80}, "ale_py", 20),
    ],
)
def test_other_environments_are_played_in_full(arguments, package, steps):
    if package is not None:
        pytest.importorskip(package)

    def make(seeds=SEEDS):
        return make_env(seed=seeds, num_envs=3, **arguments)

    original = RecordedEnv(make())
    seen, told = play(original, 31 + steps), []
    history = original.history()
    assert history.first[1:].sum() >= (0 if "Pendulum" in str(arguments) else 1)
    for known in (1, 31):
        env = RecordedEnv(make(), again=make)
        timestep, found = env.repeat(until(history, known), tell=lambda *at: told.append(at))
        assert found.how == "actions" and not told
        assert_goes_on(env, timestep, history, seen, known - 1, steps)
        env.close()
    if "scripted" not in str(arguments) and "ale" not in str(arguments):
        with pytest.raises(NotRepeatable, match="environment 0"):
            RecordedEnv(make((8, 2, 9))).repeat(history)
    original.close()


@pytest.mark.parametrize("again", [None, walk])
def test_progress_is_told(walked, again, monkeypatch):
    monkeypatch.setattr("hieros_eqx.envs.recorded.TELL_EVERY", 5)
    _, history = walked
    told = []
    RecordedEnv(walk(), again=again).repeat(history, lambda *at: told.append(at))
    done, total = zip(*told, strict=True)
    assert done == tuple(range(5, done[-1] + 1, 5)) and len(set(total)) == 1
    assert done[-1] <= total[0] < done[-1] + 6
    assert again is not None or total[0] == 400


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"checks": np.zeros((0, 3), np.uint32)}, EnvError, "at least 1 timestep"),
        ({"actions": np.zeros((9, 3), np.int32)}, EnvError, "got 401 timesteps and 9 actions"),
        ({"checks": np.zeros((401, 3), np.int64)}, EnvError, "`checks` as uint32"),
        ({"first": np.ones((401, 2), np.bool_)}, EnvError, "`first` as bool of the same shape"),
        ({"first": np.zeros((401, 3), np.bool_)}, EnvError, "begins with `reset`"),
        ({"actions": np.zeros((400, 3), np.int64)}, NotRepeatable, "int32"),
        ({"actions": np.zeros((400, 3, 2), np.float32)}, NotRepeatable, r"actions of float32 \(3, 2\)"),
        ({"actions": np.full((400, 3), 3, np.int32)}, NotRepeatable, "actions from 0 to 2, got 3 to 3"),
        (
            {"checks": np.zeros((401, 2), np.uint32), "first": np.ones((401, 2), np.bool_)},
            NotRepeatable,
            "3 environments .* got one of 2",
        ),
    ],
)
def test_what_is_no_history_of_these_environments_is_refused(walked, change, error, message):
    env = RecordedEnv(walk())
    with pytest.raises(EnvError, match=message) as caught:
        env.repeat(walked[1]._replace(**change))
    assert type(caught.value) is error
    env.repeat(walked[1])  # nothing was started


def test_calls_out_of_turn_are_refused_and_not_recorded(walked):
    env = RecordedEnv(walk())
    action = np.zeros(3, np.int32)
    with pytest.raises(EnvError, match="wanted `reset`"):
        env.send(action)
    env.reset()
    with pytest.raises(EnvError, match="wanted `send` before `recv`"):
        env.recv()
    with pytest.raises(EnvError, match=r"wanted actions in \[0, 3\)"):
        env.send(action + 3)
    env.send(action)
    with pytest.raises(EnvError, match="in turns"):
        env.send(action)
    env.recv()
    for call in (env.reset, lambda: env.repeat(walked[1])):
        with pytest.raises(EnvError, match="wanted fresh environments"):
            call()
    assert env.history().actions.shape == (1, 3) and env.history().checks.shape == (2, 3)


def test_some_environments_alone_only_between_steps():
    env = walk()
    some, action = np.array([2, 0]), np.array([0, 1], np.int32)
    with pytest.raises(EnvError, match="wanted `reset_some` after `reset`"):
        env.reset_some(some)
    env.reset()
    last = env.step_some(some, action)
    while not last.is_last.any():
        last = env.step_some(some, action)
    with pytest.raises(EnvError, match="wanted environments within an episode"):
        env.step_some(some, action)
    assert env.reset_some(some).is_first.all() and not env.step_some(some, action).is_first.any()
    env.send(np.zeros(3, np.int32))
    with pytest.raises(EnvError, match="between steps"):
        env.step_some(some, action)
    other = make_env(env_id="hieros_eqx.envs.probe:memory")
    other.reset()
    with pytest.raises(EnvError, match="wanted a simulator with `step_some`"):
        other.step_some(np.array([0]), np.zeros(1, np.int32))
