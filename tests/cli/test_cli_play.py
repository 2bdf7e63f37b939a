"""`play` of an agent that has not learned anything: what it writes, prints and refuses."""

import io
from types import SimpleNamespace

import jax
import pytest
from hieros_eqx_cli import play
from rich.console import Console

import hieros_eqx
from hieros_eqx.agent import init_params
from hieros_eqx.config import make_preset, override
from hieros_eqx.report.watch import subgoals
from hieros_eqx.training.agents import keep_agents
from hieros_eqx.training.environment import open_env
from hieros_eqx.training.run_dir import RunDir
from tests.report.watch.watched_episodes import make_episode

OFF = {"HIEROS_EQX_COMPILATION_CACHE": "off"}
SETTINGS = [
    "env.id=hieros_eqx.envs.probe:memory",
    "levels=2",
    "macro_length=2",
    "world_model.s5.double=false",
    "training.seed=3",
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Return the directory of an untrained agent of seed 3."""
    config = override(make_preset("debug"), SETTINGS)
    env = open_env(config, None, num_envs=1, seed=0, training=False)
    path = tmp_path_factory.mktemp("runs")
    keep_agents(RunDir(path), init_params(config, env.spaces, jax.random.key(0)), 40)
    return path / "agents" / "seed_3"


@pytest.fixture
def terminal(monkeypatch):
    """Return a terminal that keeps what it is sent; nobody waits for pictures."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=80, height=40)
    monkeypatch.setattr(play, "terminal_console", lambda: console)
    return console


def test_an_episode_becomes_a_video(run, directory, empty_directory):
    """The worker of `memory` plays whole episodes; without a rate five seconds are filled."""
    result = run("play", directory, "--out", "episode.mp4", **OFF)
    assert result.code == 0
    steps = int(result.out.split()[0])
    assert result.out.startswith(f"{steps} steps, return ")
    assert "not played" not in result.out
    video = (empty_directory / "episode.mp4").read_bytes()
    assert video[4:8] == b"ftyp"
    assert "playing hieros_eqx.envs.probe:memory" in result.err
    assert f"written to episode.mp4 ({len(video) / 1e6:.2f} MB)" in result.err
    assert list(directory.rglob("*.mp4")) == []


def test_an_episode_in_the_terminal(run, directory, terminal, empty_directory):
    """The same program; cut short after two steps, the first observation among them."""
    result = run("play", directory, "--terminal", "--max-steps", 2, "--fps", 1000, **OFF)
    assert result.code == 0
    assert result.out.endswith("1 step, return 0, not played to its end\n")
    text = terminal.file.getvalue()
    assert "step 0" in text
    assert "step 1" in text
    assert "level 1 wants" in text
    assert list(empty_directory.iterdir()) == []


def test_ctrl_c_ends_the_terminal(run, directory, terminal, monkeypatch):
    steps = subgoals.watch_steps

    def interrupted(*args, **options):
        yield next(iter(steps(*args, **options)))
        raise KeyboardInterrupt

    monkeypatch.setattr(subgoals, "watch_steps", interrupted)
    result = run("play", directory, "--terminal", "--fps", 1000, **OFF)
    assert (result.code, result.out) == (130, "0 steps, return 0, not played to its end\n")
    text = terminal.file.getvalue()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"


@pytest.fixture
def asked(monkeypatch):
    """Return what is asked of loading, playing and encoding, which are replaced."""
    calls = SimpleNamespace(load=[], watch=[], fps=[])
    load = hieros_eqx.load

    def note_load(path, checkpoint, seed):
        calls.load.append((checkpoint, seed))
        return load(path, None, seed=3)

    def note_watch(agent, env, key, max_steps, *, greedy):  # noqa: ARG001
        calls.watch.append((jax.random.key_data(key).tolist(), max_steps, greedy))
        return make_episode(2, 30)

    def note_write(episode, path, *, title, fps):  # noqa: ARG001
        calls.fps.append(fps)
        return b""

    monkeypatch.setattr(hieros_eqx, "load", note_load, raising=False)
    monkeypatch.setattr(subgoals, "watch", note_watch)
    monkeypatch.setattr("hieros_eqx.report.watch.episode_video.write_episode", note_write)
    return calls


def test_what_options_ask_for(run, directory, asked):
    run("play", directory, "--out", "a.mp4", **OFF)
    options = ("--checkpoint", "best", "--train-seed", 3, "--seed", 7, "--policy", "mode", "--max-steps", 9)
    result = run("play", directory, "--out", "a.mp4", *options, "--fps", 12.5, **OFF)
    assert result.out == "29 steps, return 10\n"
    run("play", directory, "--out", "a.mp4", "--policy", "sample", "--checkpoint", "40", **OFF)
    key = {seed: jax.random.key_data(jax.random.key(seed)).tolist() for seed in (0, 7)}
    assert asked.load == [(None, 3), ("best", 3), (40, 3)]
    assert asked.watch == [(key[0], 2000, None), (key[7], 9, True), (key[0], 2000, False)]
    assert asked.fps == [6, 12.5, 6]  # 30 steps in five seconds


def test_where_to_show_it_is_needed(refused, directory):
    assert "wanted one of --out FILE.mp4 and --terminal" in refused("play", directory)
    assert "wanted one of" in refused("play", directory, "--terminal", "--out", "a.mp4")
    assert "--terminal wants a terminal" in refused("play", directory, "--terminal")
    assert "config.json" in refused("play", ".", "--out", "a.mp4")
    assert "wanted `seed` to be one of 3, got 4" in refused(
        "play", directory, "--out", "a.mp4", "--train-seed", 4
    )


def test_a_missing_package_is_named_before_anything_is_played(refused, directory, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"no {name}", name=name)

    monkeypatch.setattr(play, "import_module", missing)
    assert "pip install 'hieros-eqx[report]'" in refused("play", directory, "--out", "a.mp4")
