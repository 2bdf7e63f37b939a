"""Every public function with what it cannot take, and what is left out, with the reason."""

import importlib
import inspect
import pkgutil
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

import hieros_eqx
from hieros_eqx import agent, config, envs, replay, training
from hieros_eqx.agent import init
from hieros_eqx.config import make_preset
from hieros_eqx.errors import CheckpointError, ConfigError, EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces, Timestep
from tests.bad_input.page_cases import LEFT_OUT_OF_PAGES, PAGES
from tests.bad_input.public_cases import ARRAYS, REPORTS
from tests.bad_input.watching_cases import LEFT_OUT_OF_WATCHING, WATCHING

CONFIG = replace(make_preset("debug"), levels=2)
WITHOUT_ENV = replace(CONFIG, env=replace(CONFIG.env, game=None, id=None))
SPACES = Spaces(
    observation=ObservationSpace(kind="vector", shape=(2,)), action=ActionSpace(kind="discrete", size=2)
)
TWO_AXES = replace(SPACES, observation=ObservationSpace(kind="vector", shape=(2, 2)))
PROBED = replace(CONFIG, env=replace(CONFIG.env, id="hieros_eqx.envs.probe:memory"))
PICTURE = replace(SPACES, observation=ObservationSpace(kind="image", shape=(9, 9, 3)))
SMALL_RING = replace(CONFIG, replay=replace(CONFIG.replay, capacity=9))


def abstract(settings=CONFIG, spaces=SPACES):
    """Return a state without its numbers: what is refused is refused before any is looked at."""
    return jax.eval_shape(lambda: init(settings, spaces, jax.random.key(0)))


def timestep(num_envs):
    no = jnp.zeros(num_envs, bool)
    return Timestep(jnp.zeros((num_envs, 2), jnp.float32), jnp.zeros(num_envs, jnp.float32), no, no, no)


def drawn(**changes):
    """Return a call of `draw` with changes."""
    uniform = jnp.zeros(3, jnp.float32)
    chosen = {"sampling": "etbs", "temperature": 0.3, "scale": "held", "length": 4, **changes}
    length = chosen.pop("length")
    return jax.eval_shape(lambda ring: replay.draw(ring, uniform, uniform, length, **chosen), rings()[0])


def rings():
    return jax.eval_shape(lambda: replay.init_replay(CONFIG, SPACES))


def policy_of(num_envs):
    state = abstract(replace(CONFIG, env=replace(CONFIG.env, num_envs=2)))
    return jax.eval_shape(agent.policy, state.params, state.carry, timestep(num_envs), jax.random.key(0))


CASES = {
    # function -> calls with the type of error and what it says
    "config.make_preset": [
        (lambda: config.make_preset("fast"), ConfigError, r"preset = 'fast': wanted one of atari100k"),
        (lambda: config.make_preset(["debug"]), ConfigError, r"preset = \['debug'\]: wanted one of"),
        (lambda: config.make_preset(None), ConfigError, r"preset = None: wanted one of"),
    ],
    "config.from_dict": [(lambda: config.from_dict([]), ConfigError, "object of fields, got list")],
    "config.override": [
        (lambda: config.override(CONFIG, "levels=2"), ConfigError, "wanted a list of assignments"),
        (lambda: config.override(CONFIG, [3]), ConfigError, "3: wanted a text path.to.field=value"),
        (lambda: config.override(CONFIG, ["levels=0"]), ConfigError, "levels = 0: wanted a number >= 1"),
    ],
    "config.to_dict": [(lambda: config.to_dict({"levels": 2}), TypeError, "dataclass")],
    "config.differences": [(lambda: config.differences(CONFIG, {}), TypeError, "dataclass")],
    "agent.init": [
        (lambda: abstract(SMALL_RING), ConfigError, r"replay.capacity = 9: wanted at least 35"),
        (lambda: abstract(spaces=TWO_AXES), ConfigError, r"observation shape \(2, 2\): wanted one axis"),
        (
            lambda: abstract(
                spaces=replace(SPACES, observation=ObservationSpace(kind="image", shape=(9, 9, 3)))
            ),
            ConfigError,
            r"observation shape \(9, 9, 3\): wanted height x width x channels",
        ),
    ],
    "agent.init_params": [
        (
            lambda: jax.eval_shape(lambda: agent.init_params(CONFIG, TWO_AXES, jax.random.key(0))),
            ConfigError,
            r"observation shape \(2, 2\)",
        )
    ],
    "agent.init_seeds": [
        (lambda: SEEDS(CONFIG, SPACES, ()), ValueError, "wanted at least one seed, got none"),
    ],
    "agent.init_carry": [
        (lambda: jax.eval_shape(lambda p: agent.init_carry(p, -1), abstract().params), TypeError, "-1")
    ],
    "agent.act": [
        (lambda: agent.act(abstract(), timestep(3)), ValueError, r"timestep.observation` of shape \(1, 2\)")
    ],
    "agent.policy": [(lambda: policy_of(3), ValueError, "shapes")],
    "agent.update": [
        (lambda: agent.update(abstract(), 0), ValueError, r"depth must lie in \[1, 2\].*; got 0"),
        (lambda: agent.update(abstract(), 3), ValueError, r"depth must lie in \[1, 2\].*; got 3"),
    ],
    "agent.select_seed": [(lambda: agent.select_seed(abstract(), 0), ValueError, "with a seed axis")],
    "agent.with_params": [
        (lambda: agent.with_params(abstract(), []), ValueError, "one agent for each of 1 seeds, got 0")
    ],
    "agent.record": [(lambda: agent.record(rings(), (), ()), ValueError, "shorter")],
    "replay.init_replay": [(lambda: replay.init_replay(SMALL_RING, SPACES), ConfigError, "capacity = 9")],
    "replay.replay_bytes": [(lambda: replay.replay_bytes(SMALL_RING, SPACES), ConfigError, "capacity = 9")],
    "replay.record": [(lambda: replay.record(rings(), (), ()), ValueError, "shorter")],
    "replay.num_starts": [
        (
            lambda: jax.eval_shape(lambda ring: replay.num_starts(ring, 0), rings()[0]),
            ValueError,
            "at least 1 entry, got 0",
        )
    ],
    "replay.draw": [
        (lambda: drawn(sampling="newest"), ValueError, '"etbs" or "uniform".* got \'newest\''),
        (lambda: drawn(scale="all"), ValueError, "\"held\" or \"capacity\"; got 'etbs' and 'all'"),
        (lambda: drawn(length=0), ValueError, "at least 1 entry, got 0"),
        (lambda: drawn(temperature=1.5), ValueError, r"temperature in \[0, 1\], got 1.5"),
    ],
    "training.train": [
        (lambda: training.train(WITHOUT_ENV), ConfigError, "env.game and env.id are both null"),
        (lambda: training.train(CONFIG, env=3), EnvError, "wanted a function or class as factory, got int"),
        (lambda: training.train(CONFIG, env="no:thing"), EnvError, "wanted an importable"),
    ],
    "training.evaluate": [
        (lambda: training.evaluate("runs/debug"), ValueError, "wanted an `Agent`.*got str"),
        (lambda: training.evaluate(AGENT, episodes=0), ValueError, "at least 1 episode.*got 0"),
        (lambda: training.evaluate(AGENT, episodes=1.5), ValueError, "as a whole number; got 1.5"),
        (lambda: training.evaluate(AGENT, backend="torch"), ValueError, "got 'torch'"),
        (lambda: training.evaluate(AGENT, seed=-1), EnvError, "seeds of at least 0, got -1"),
        (lambda: training.evaluate(AGENT, num_envs=0), EnvError, "as `num_envs`, got 0"),
        (lambda: training.evaluate(AGENT, "absent:make"), EnvError, "wanted an importable"),
        (
            lambda: training.evaluate(AGENT, "hieros_eqx.envs.probe:action_choice"),
            EnvError,
            r"wanted an environment with .*shape=\(2,\).* got .*shape=\(1,\)",
        ),
    ],
    "training.evaluate_seeds": [
        (lambda: training.evaluate_seeds({}), ValueError, "at least one agent, got none"),
        (lambda: training.evaluate_seeds({0: "run"}), ValueError, "wanted an `Agent`.*got str"),
        (lambda: training.evaluate_seeds({0: AGENT, 1: "run"}), ValueError, "wanted an `Agent`.*got str"),
        (
            lambda: training.evaluate_seeds({0: AGENT}, envs.random_length()),
            ValueError,
            "each agent needs its own",
        ),
    ],
    "training.load": [(lambda: training.load("absent"), CheckpointError, "absent: wanted a run directory")],
    "training.load_all": [(lambda: training.load_all("absent"), CheckpointError, "absent: wanted a run dir")],
    "envs.make_env": [
        (lambda: envs.make_env(), EnvError, "either `game` or `env_id`"),
        (lambda: envs.make_env(game="Pong", num_envs=0), EnvError, "got 0"),
        (lambda: envs.make_env(game="Pong", num_envs=10**9), EnvError, "at most 65536 environments"),
        (lambda: envs.make_env(game="Pong", threads=10**6), EnvError, "at most 1024, got 1000000"),
    ],
    "envs.make_envpool": [(lambda: envs.make_envpool("No-v0", seeds=[0]), EnvError, "'No-v0'")],
    "envs.make_envpool_atari": [(lambda: envs.make_envpool_atari("Pung", seeds=[0]), EnvError, "Pong")],
    "envs.make_ale_atari": [(lambda: envs.make_ale_atari("Pung", seeds=[0]), EnvError, "Pong")],
    "envs.make_gymnasium": [(lambda: envs.make_gymnasium("No-v0", seeds=[0]), EnvError, "'No-v0'")],
    "envs.make_from_factory": [
        (lambda: envs.make_from_factory(len, seeds=[0]), EnvError, "len.*got TypeError")
    ],
    "envs.canonical_game": [(lambda: envs.canonical_game("Pung"), EnvError, "'Pung': did you mean Pong")],
    "envs.check_action": [
        (lambda: envs.check_action([[1], [1, 2]], SPACES.action, 2), EnvError, "wanted actions as an array"),
        (lambda: envs.check_action([2], SPACES.action, 1), EnvError, r"actions in \[0, 2\), got \[2\]"),
    ],
    "envs.random_length": [
        (lambda: envs.random_length(num_envs=0), EnvError, "got 0"),
        (lambda: envs.random_length(actions=0), EnvError, "actions >= 1"),
        (lambda: envs.random_length(truncate_every=-1), EnvError, "truncate_every >= 0, got 3 and -1"),
        (lambda: envs.random_length(min_length=0), EnvError, r"lengths of at least 1, got \(0, 20\)"),
        (lambda: envs.random_length(min_length=5, max_length=4), EnvError, r"at least 1, got \(5, 4\)"),
        (lambda: envs.random_length(lengths=[[1], []], num_envs=2), EnvError, "lengths of at least 1"),
        (lambda: envs.random_length(lengths=[[1]], num_envs=2), EnvError, r"per environment \(2\), got 1"),
    ],
    "envs.env_seeds": [
        (lambda: envs.env_seeds(-1, 1), EnvError, "at least 0, got -1"),
        (lambda: envs.env_seeds("0", 1), EnvError, "wanted whole numbers .* got '0'"),
        (lambda: envs.env_seeds([0.5], 1), EnvError, "wanted whole numbers .* got 0.5"),
        (lambda: envs.env_seeds(None, 1), EnvError, "wanted whole numbers .* got None"),
        (lambda: envs.env_seeds(0, True), EnvError, "wanted whole numbers .* got True"),
    ],
    **ARRAYS,
    **REPORTS,
    **WATCHING,
    **PAGES,
}
LEFT_OUT = {
    **LEFT_OUT_OF_WATCHING,
    **LEFT_OUT_OF_PAGES,
    "agent.num_seeds": "reads one field of a state",
    "agent.seed_mesh": "any number of seeds has an answer: None where nothing is to be spread",
    "training.enable_compilation_cache": "takes nothing; its variable is that of a folder which is made",
    "report.watch.training_pictures.training_pictures": "any state has an answer: none where there are none",
    "report.recording.worker_values": "takes the carry that `policy` has just returned",
    "replay.first_start": "takes a ring alone, which `init_replay` has made",
    "replay.count_visits": "compiled into updates, after `draw` has refused what is wrong",
    "replay.write_back": "compiled into updates, after `draw` has refused what is wrong",
    "replay.gather": "compiled into updates, after `draw` has refused what is wrong",
    **{
        f"core.{name}": "elementwise: every array of numbers has an answer"
        for name in (
            *("categorical.entropy", "categorical.mode", "categorical.unimix", "transforms.symlog"),
            *("transforms.symexp", "nn.silu", "nn.gelu", "nn.softplus", "nn.log_softmax", "nn.softmax"),
            *("etbs.cdf", "etbs.inverse_cdf"),
        )
    },
    "core.nn.trailing": "broadcasts on purpose",
    "core.transforms.two_hot": "every number has a place among bins, beyond them on the outermost",
    "core.normalise.ema_corrected": "broadcasts a count over an average on purpose",
    "report.run_summary.by_seed": "any lines have an answer",
    "report.run_summary.levels": "any lines have a number of levels, none have 0",
    "report.run_summary.updates": "any lines have a number of updates, none have none",
    "report.run_summary.nonfinite": "any lines have an answer",
    "report.ball.recall": "places that are NaN are no balls; other shapes do not broadcast, NumPy says",
    "report.figures.training_curves": "a run without lines has an empty figure",
    "report.figures.open_loop_errors": "draws what `open_loop` has checked",
    "report.evaluation_record.describe": "puts into words what `make_record` has made",
    **{
        f"report.evaluation_record.{name}": "damaged files: tests/report/test_evaluation_record.py"
        for name in ("read_all", "read_evaluations", "final_evaluations")
    },
    **{
        f"report.score_text.{name}": "writes what `make_tables` has made"
        for name in ("cell_texts", "to_csv", "to_markdown", "to_latex")
    },
    "config.assignments": "any two configurations have an answer",
    "report.suite_status.read_status": "damaged evaluations: tests/report/test_evaluation_record.py",
    "report.suite_status.seconds_left": "any statuses have an answer, or None",
    "report.suite_status.describe_status": "any status has words",
    "report.published.human_normalised": "a game that is not in the table has no such score: None",
}
AGENT = training.Agent(
    abstract().params, replace(CONFIG, env=replace(CONFIG.env, id="hieros_eqx.envs.probe:memory")), SPACES
)
SEEDS = agent.init_seeds  # before the tests' own guard replaces it
CALLS = [
    pytest.param(*case, id=f"{name}-{i}") for name, cases in CASES.items() for i, case in enumerate(cases)
]


@pytest.fixture(scope="module", autouse=True)
def as_in_production():
    """Tests check types at run time, production does not: take away what pytest's hook has put around."""
    with pytest.MonkeyPatch.context() as patch:
        for module in [m for name, m in sys.modules.items() if name.startswith("hieros_eqx.")]:
            for name, value in list(vars(module).items()):
                if inspect.isfunction(value) and hasattr(value, "__wrapped__"):
                    patch.setattr(module, name, inspect.unwrap(value))
        yield


@pytest.mark.parametrize(("call", "error", "words"), CALLS)
def test_a_function(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value) or error is TypeError


@pytest.mark.parametrize(
    ("name", "length"), [("memory", "delay"), ("discounting", "length"), ("memory", "num_envs")]
)
def test_a_probe_of_nothing(name, length):
    with pytest.raises(EnvError, match=r"wanted .* got 0"):
        envs.PROBES[name](**{length: 0})


def test_a_vector_env_that_is_none():
    with pytest.raises(EnvError, match="wanted a `VectorEnv`, got dict without spaces, num_envs, reset"):
        envs.CheckedEnv({})


def public_functions():
    """Yield the names of all public functions, by the package that a user imports them from."""
    for package in ("config", "agent", "training", "envs", "replay"):
        module = importlib.import_module(f"hieros_eqx.{package}")
        names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        yield from (f"{package}.{name}" for name in names if inspect.isfunction(getattr(module, name)))
    for package in ("core", "report"):
        root = importlib.import_module(f"hieros_eqx.{package}")
        for found in pkgutil.walk_packages(root.__path__, f"hieros_eqx.{package}."):
            module = importlib.import_module(found.name)
            for name, function in vars(module).items():
                own = inspect.isfunction(function) and function.__module__ == module.__name__
                if own and not name.startswith("_") and inspect.signature(function).parameters:
                    yield f"{found.name.removeprefix('hieros_eqx.')}.{name}"


def test_every_public_function_has_a_case_or_a_reason():
    public = set(public_functions())
    assert CASES.keys() | LEFT_OUT.keys() == public
    assert not CASES.keys() & LEFT_OUT.keys()
    named = {name for name in hieros_eqx.__all__ if inspect.isfunction(getattr(hieros_eqx, name))}
    assert named <= {name.rpartition(".")[2] for name in public}
    assert all(LEFT_OUT.values())
