"""The Atari100k protocol on the real emulator, through both backends."""

import numpy as np
import pytest

from hieros_eqx.envs import ATARI100K_GAMES, make_ale_atari, make_env, make_envpool_atari
from hieros_eqx.envs.images import to_rgb64
from hieros_eqx.errors import EnvError

pytest.importorskip("envpool")
pytest.importorskip("ale_py")

BACKENDS = ["envpool", "ale"]
FIRE = 1  # the second of the minimal actions of Breakout


def make(backend, game, seeds, **options):
    return {"envpool": make_envpool_atari, "ale": make_ale_atari}[backend](game, seeds=seeds, **options)


def run(env, actions):
    """The timesteps of `reset` and of each action, stacked over time."""
    steps = [env.reset()] + [env.step(np.full(env.num_envs, a) if np.ndim(a) == 0 else a) for a in actions]
    env.close()
    return type(steps[0])(*(np.stack(x) for x in zip(*steps, strict=True)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_pictures_and_first_step(backend):
    env = make(backend, "Pong", [3, 4])
    first = env.reset()
    assert first.observation.shape == (2, *env.spaces.observation.shape) == (2, 64, 64, 3)
    assert first.observation.dtype == np.uint8
    assert first.observation.flags.c_contiguous
    assert first.reward.tolist() == [0, 0] and first.reward.dtype == np.float32
    assert first.is_first.all() and not first.is_last.any() and not first.is_terminal.any()
    second = env.step(np.zeros(2, np.int64))
    assert not second.is_first.any()
    env.close()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("game", "count"), [("Pong", 6), ("Breakout", 4), ("Freeway", 3), ("MsPacman", 9), ("PrivateEye", 18)]
)
def test_minimal_action_set(backend, game, count):
    env = make(backend, game, [0])
    assert env.spaces.action.kind == "discrete" and env.spaces.action.size == count
    env.close()


@pytest.mark.parametrize("game", ATARI100K_GAMES)
def test_every_game_of_the_benchmark_runs(game):
    env = make_env(game=game, num_envs=1)
    env.reset()
    assert env.step(np.zeros(1, np.int32)).observation.std() > 0
    env.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_frame_limit_truncates_and_the_next_step_is_first(backend):
    limit = 7
    seen = run(make(backend, "Pong", [1, 2], max_episode_frames=4 * limit), [3] * 20)
    ends = np.isin(np.arange(21), [limit, 2 * limit + 1])  # the reset takes a step of its own
    firsts = np.isin(np.arange(21), [0, limit + 1, 2 * limit + 2])
    for env in range(2):
        np.testing.assert_array_equal(seen.is_last[:, env], ends)
        np.testing.assert_array_equal(seen.is_first[:, env], firsts)
    assert not seen.is_terminal.any()
    assert (seen.reward[seen.is_first] == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lost_life_is_no_end_and_game_over_is(backend):
    env = make(backend, "Breakout", [5])
    simulator = env._simulator._env
    receive, lives = simulator.recv, []

    def spy(**arguments):
        answer = receive(**arguments)
        lives.append(int(answer[-1]["lives"][0]))
        return answer

    env.reset()
    simulator.recv = spy
    seen = []
    while not (seen and seen[-1].is_last[0]):
        seen.append(env.step(np.array([FIRE])))
        assert len(seen) < 1000
    drops = [t for t in range(1, len(lives)) if 0 < lives[t] < lives[t - 1]]
    assert len(drops) == 4
    assert not any(seen[t].is_last[0] for t in drops)
    assert seen[-1].is_terminal[0] and lives[-1] == 0
    after = env.step(np.array([FIRE]))
    assert after.is_first[0] and not after.is_last[0] and after.reward[0] == 0
    env.close()
    # a game that is over at the very frame limit is over, not cut short; one step less is cut short
    for shorter, terminal in ((0, True), (1, False)):
        steps = len(seen) - shorter
        again = run(make(backend, "Breakout", [5], max_episode_frames=4 * steps), [FIRE] * steps)
        assert again.is_last[-1, 0] and again.is_terminal[-1, 0] == terminal
        assert not again.is_last[:-1].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_rewards_are_not_clipped(backend, rng):
    seen = run(make(backend, "MsPacman", [0]), rng.integers(0, 9, (300, 1)))
    assert seen.reward.max() >= 10


@pytest.mark.parametrize("backend", BACKENDS)
def test_idle_frames_differ_and_nobody_presses_fire(backend):
    env = make(backend, "MsPacman", list(range(6)))
    pictures = env.reset().observation
    assert len({p.tobytes() for p in pictures}) > 2
    env.close()
    still = run(make(backend, "Breakout", [0, 1]), [0] * 20).observation
    assert (still == still[:1]).all()  # without FIRE no ball moves


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_seed_same_stream_with_any_number_of_threads(backend, rng):
    actions = rng.integers(0, 9, (40, 3))
    runs = [
        run(make(backend, "MsPacman", [7, 31, 9], threads=t, max_episode_frames=60), actions) for t in (1, 2)
    ]
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)
    alone = run(make(backend, "MsPacman", [31], max_episode_frames=60), actions[:, 1:2])
    np.testing.assert_array_equal(alone.observation[:, 0], runs[0].observation[:, 1])


def ale_seed_with_one_idle_frame(game):
    env = make_ale_atari(game, seeds=[0])
    for seed in range(300):
        _, info = env._simulator._env.reset(seed=np.array([seed]))
        if info["episode_frame_number"][0] == 1:
            env.close()
            return seed
    raise AssertionError("no seed found")


@pytest.mark.parametrize(("game", "count"), [("Pong", 6), ("MsPacman", 9)])
def test_backends_agree_bit_for_bit_after_equal_idle_frames(game, count, rng):
    actions = rng.integers(0, count, (100, 1))
    a = run(make("envpool", game, [3], noop_max=1), actions)
    b = run(make("ale", game, [ale_seed_with_one_idle_frame(game)]), actions)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def test_frames_against_the_bare_emulator(rng):
    """Four frames an action, the maximum of the last two, the area average: by hand on `ALEInterface`."""
    import ale_py
    import ale_py.roms

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(ale_py.roms.get_rom_path("ms_pacman"))
    ale.reset_game()
    ale.act(ale_py.Action.NOOP)
    minimal = ale.getMinimalActionSet()
    actions = rng.integers(0, 9, (50, 1))
    seen = run(make("envpool", "MsPacman", [0], noop_max=1), actions)
    for t, action in enumerate(actions[:, 0]):
        reward, screens = 0, []
        for _ in range(4):
            reward += ale.act(minimal[action])
            screens.append(ale.getScreenRGB())
        picture = to_rgb64(np.maximum(screens[2], screens[3])[None])[0]
        # one grey level: the resize there works in fixed point, ours in float32
        assert np.abs(picture.astype(int) - seen.observation[t + 1, 0]).max() <= 1
        assert reward == seen.reward[t + 1, 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "options",
    [
        {"noop_max": 0},  # crashes envpool
        {"frame_skip": 0},
        {"max_episode_frames": 2},
        {"max_episode_frames": 4001},
        {"repeat_action_probability": 1.5},
    ],
)
def test_bad_options(backend, options):
    with pytest.raises(EnvError, match="wanted"):
        make(backend, "Pong", [0], **options)
