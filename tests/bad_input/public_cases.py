"""Cases of the core's functions and of the reports: arrays whose shapes do not agree, numbers out of range.

Every shape here would broadcast: without a check the answer is wrong numbers, not an error.
"""

from types import SimpleNamespace

import jax
import numpy as np

from hieros_eqx.core import (
    alignment,
    categorical,
    etbs,
    hippo,
    kl_balance,
    likelihood,
    macro,
    nn,
    normalise,
    returns,
    rewards,
    shapes,
    ssm,
    transforms,
)
from hieros_eqx.errors import CheckpointError, EnvError
from hieros_eqx.report import (
    ball,
    evaluation_record,
    figures,
    intervals,
    linear_probe,
    open_loop,
    open_loop_errors,
    recording,
    run_scores,
    run_summary,
    score_tables,
    scores,
)
from hieros_eqx.report.watch import training_pictures
from hieros_eqx.types import Timestep


def x(*shape):
    return np.ones(shape, np.float64)


def z(*shape):
    return np.ones(shape, np.complex128)


def no(*shape):
    return np.zeros(shape, np.bool_)


ONE_SHAPE = r"wanted arrays of one shape, got "
ARRAYS = {
    "core.returns.lambda_return": [
        (
            lambda: returns.lambda_return(x(3, 3), x(3, 3), x(3), x(3), 0.9),
            ValueError,
            ONE_SHAPE + r"`reward` \(3, 3\), `value` \(3, 3\), `discount` \(3,\)",
        ),
        (lambda: returns.lambda_return(x(3, 2), x(3, 1), x(3, 2), x(2), 0.9), ValueError, ONE_SHAPE),
        (
            lambda: returns.lambda_return(x(3, 2), x(3, 2), x(3, 2), x(1), 0.9),
            ValueError,
            r"wanted `bootstrap` of shape \(2,\), got \(1,\)",
        ),
        (lambda: returns.lambda_return(x(0, 2), x(0, 2), x(0, 2), x(2), 0.9), ValueError, "at least one"),
    ],
    "core.returns.continuation_weights": [
        (
            lambda: returns.continuation_weights(x(1), x(3, 2)),
            ValueError,
            r"`initial` of shape \(2,\)",
        )
    ],
    "core.categorical.kl": [(lambda: categorical.kl(x(3, 4), x(1, 4)), ValueError, ONE_SHAPE)],
    "core.categorical.sample": [(lambda: categorical.sample(x(3, 4), x(4)), ValueError, ONE_SHAPE)],
    "core.categorical.log_prob": [(lambda: categorical.log_prob(x(3, 4), x(3, 1)), ValueError, ONE_SHAPE)],
    "core.kl_balance.kl_losses": [
        (lambda: kl_balance.kl_losses(x(3, 2, 4), x(3, 1, 4)), ValueError, ONE_SHAPE)
    ],
    "core.likelihood.bernoulli_log_prob": [
        (lambda: likelihood.bernoulli_log_prob(x(3, 1), x(3)), ValueError, ONE_SHAPE)
    ],
    "core.likelihood.squared_error": [
        (lambda: likelihood.squared_error(x(3, 1), x(3, 3)), ValueError, ONE_SHAPE),
    ],
    "core.likelihood.symlog_squared_error": [
        (lambda: likelihood.symlog_squared_error(x(3, 1), x(3, 3)), ValueError, ONE_SHAPE)
    ],
    "core.rewards.subgoal_reward": [(lambda: rewards.subgoal_reward(x(4), x(3, 4)), ValueError, ONE_SHAPE)],
    "core.rewards.mean_subgoal_reward": [
        (lambda: rewards.mean_subgoal_reward(x(2, 4), x(3, 5)), ValueError, "wanted as many features"),
    ],
    "core.rewards.novelty_reward": [
        (lambda: rewards.novelty_reward(x(4), x(3, 4)), ValueError, ONE_SHAPE),
        (lambda: rewards.novelty_reward(x(3, 4), x(3, 4), "l1"), ValueError, '`norm` must be "l2" or "mse"'),
    ],
    "core.alignment.previous_action": [
        (lambda: alignment.previous_action(x(3, 2, 4), no(3, 1)), ValueError, r"`is_first` of shape \(3, 2\)")
    ],
    "core.ssm.scan": [
        (lambda: ssm.scan(z(4), z(3, 2, 4), no(3, 1), z(4)), ValueError, r"`reset` of shape \(3, 2\)"),
        (lambda: ssm.scan(z(1), z(3, 2, 4), no(3, 2), z(4)), ValueError, r"`a_bar` of shape \(4,\)"),
        (lambda: ssm.scan(z(4), z(0, 2, 4), no(0, 2), z(4)), ValueError, "at least one time step"),
    ],
    "core.ssm.step": [
        (lambda: ssm.step(z(4), z(2, 4), no(1), z(4)), ValueError, r"`reset` of shape \(2,\), got \(1,\)"),
        (lambda: ssm.step(z(1), z(2, 4), no(2), z(4)), ValueError, r"`a_bar` of shape \(4,\), got \(1,\)"),
    ],
    "core.ssm.discretize": [
        (
            lambda: ssm.discretize(z(4), z(1, 2), x(4)),
            ValueError,
            r"wanted `b` of shape \(4, 2\)",
        )
    ],
    "core.ssm.decay_and_gain": [
        (lambda: ssm.decay_and_gain(z(4), x(1)), ValueError, ONE_SHAPE),
        (lambda: ssm.decay_and_gain(z(4), x(4), "euler"), ValueError, "got 'euler'"),
    ],
    "core.nn.linear": [
        (lambda: nn.linear(x(3, 4), x(4, 2), x(1)), ValueError, r"`bias` of shape \(2,\), got \(1,\)"),
    ],
    "core.nn.layer_norm": [
        (lambda: nn.layer_norm(x(3, 4), x(1), x(4)), ValueError, r"`scale` of shape \(4,\), got \(1,\)"),
        (lambda: nn.layer_norm(x(3, 4), x(4), x(1)), ValueError, r"`offset` of shape \(4,\), got \(1,\)"),
    ],
    "core.nn.one_hot": [
        (lambda: nn.one_hot(np.zeros(3, np.int32), 0, np.float32), ValueError, "at least one class, got 0")
    ],
    "core.nn.logsumexp": [(lambda: nn.logsumexp(x(3, 4), 5), ValueError, "axis 5 is out of bounds")],
    "core.macro.due": [(lambda: macro.due(np.zeros(3, np.int32), 0), ValueError, "at least 1, got 0")],
    "core.macro.window_fill": [(lambda: macro.window_fill(x(3, 2), 0), ValueError, "at least 1, got 0")],
    "core.macro.window_push": [
        (lambda: macro.window_push(x(3, 4, 2), x(1, 2)), ValueError, "must match exactly")
    ],
    "core.macro.where_env": [
        (lambda: macro.where_env(no(1), x(3, 2), x(3, 2)), ValueError, r"`mask` of shape \(3,\), got \(1,\)"),
        (lambda: macro.where_env(no(3), x(3, 2), x(3, 1)), ValueError, ONE_SHAPE),
    ],
    "core.normalise.ema": [(lambda: normalise.ema(x(3), x(1), 0.1), ValueError, ONE_SHAPE)],
    "core.normalise.percentile": [
        (lambda: normalise.percentile(x(3), 5.0), ValueError, r"quantile in \[0, 1\], got 5.0"),
        (lambda: normalise.percentile(x(3), float("nan")), ValueError, r"quantile in \[0, 1\], got nan"),
    ],
    "core.normalise.percentile_range": [
        (lambda: normalise.percentile_range(x(3), 5, 95), ValueError, r"quantile in \[0, 1\], got 95")
    ],
    "core.etbs.index": [
        (lambda: etbs.index(x(3) / 2, 4, -0.1), ValueError, r"temperature in \[0, 1\], got -0.1"),
        (lambda: etbs.index(x(3) / 2, 4, 1.5), ValueError, r"temperature in \[0, 1\], got 1.5"),
    ],
    "core.etbs.probability": [
        (lambda: etbs.probability(0, 0.3), ValueError, "at least one entry, got 0"),
        (lambda: etbs.probability(4, 2.0), ValueError, r"temperature in \[0, 1\], got 2.0"),
    ],
    "core.etbs.cdf_table": [(lambda: etbs.cdf_table(0), ValueError, "at least one entry, got 0")],
    "core.hippo.hippo_legs_matrix": [(lambda: hippo.hippo_legs_matrix(0), ValueError, "one state, got 0")],
    "core.hippo.hippo_legs_normal": [(lambda: hippo.hippo_legs_normal(0), ValueError, "one state, got 0")],
    "core.hippo.hippo_legs_blocks": [
        (lambda: hippo.hippo_legs_blocks(8, 3), ValueError, "a multiple of the 3 blocks; got 8"),
        (lambda: hippo.hippo_legs_blocks(8, 0), ValueError, "a multiple of the 0 blocks; got 8"),
    ],
    "core.hippo.block_diagonal": [(lambda: hippo.block_diagonal(x(2, 2), -1), ValueError, "negative")],
    "core.transforms.symlog_bins": [
        (lambda: transforms.symlog_bins(1), ValueError, "at least 2 bins and a limit above 0, got 1"),
        (lambda: transforms.symlog_bins(5, float("nan")), ValueError, "got 5 and nan"),
    ],
    "core.transforms.symexp_bins": [(lambda: transforms.symexp_bins(5, -1.0), ValueError, "got 5 and -1.0")],
    "core.transforms.from_two_hot": [
        (lambda: transforms.from_two_hot(x(3, 5), x(4)), ValueError, r"`bins` of shape \(5,\), got \(4,\)")
    ],
    "core.transforms.mean_of_logits": [
        (lambda: transforms.mean_of_logits(x(3, 5), x(4)), ValueError, r"`bins` of shape \(5,\), got \(4,\)")
    ],
    "core.shapes.require_same_shape": [
        (lambda: shapes.require_same_shape(a=x(2), b=x(3)), ValueError, r"`a` \(2,\), `b` \(3,\)")
    ],
    "core.shapes.require_shape": [
        (lambda: shapes.require_shape("a", x(2), (3,)), ValueError, r"wanted `a` of shape \(3,\), got \(2,\)")
    ],
}

PICTURES = np.zeros((6, 4, 4, 3), np.uint8)
GAME = np.zeros((2, 64, 64, 3), np.uint8)
EPISODE = recording.Recording(PICTURES, np.zeros((6, 2), np.float32), np.zeros(6, np.float32), complete=True)
VECTORS = EPISODE._replace(observation=np.zeros((6, 3), np.float32))
START = np.array([[0, 0]])
KEY = jax.random.key(0)
ERRORS = open_loop_errors.OpenLoop(x(2, 3), x(2, 3), x(2, 3), x(2, 3), x(3))
FORESEEN = open_loop.Prediction(*(np.zeros((2, 2, 2, 1, 1, 3)) for _ in open_loop.Prediction._fields))
LINES = [{"env_step": 4, "seconds": 1.0, "level0/train_step": 2, "level0/loss": 1.0}]
STEPS = Timestep(*(np.zeros(4, np.bool_) for _ in Timestep._fields))


def predict(episodes=(EPISODE,), starts=START, horizon=2, **sizes):
    """Ask for predictions of no world model at all, which nothing gets to."""
    return list(open_loop.predict(None, episodes, starts, horizon, KEY, **sizes))


def collect(spaces, num_steps):
    params = SimpleNamespace(spaces="those of the agent")
    return recording.collect_episodes(params, SimpleNamespace(spaces=spaces, num_envs=1), num_steps, KEY)


NO_ENTRIES = SimpleNamespace(
    count=np.zeros(1, np.int32), is_first=np.zeros((1, 9), bool), is_last=np.zeros((1, 9), bool)
)
REPORTS = {
    "report.watch.training_pictures.foresee": [
        (
            lambda: training_pictures.foresee(None, EPISODE, np.random.default_rng(0)),
            ValueError,
            "wanted an episode of at least 31 steps, got 6",
        )
    ],
    "report.watch.training_pictures.newest_episode": [
        (lambda: training_pictures.newest_episode(NO_ENTRIES), ValueError, "at least one entry, got an empty")
    ],
    "report.watch.training_pictures.strip": [
        (
            lambda: training_pictures.strip(PICTURES, PICTURES[:1]),
            ValueError,
            ONE_SHAPE,
        )
    ],
    "report.intervals.bootstrap": [
        (lambda: intervals.bootstrap(x(0)), ValueError, "at least one sample, got none"),
        (lambda: intervals.bootstrap(x(3), resamples=0), ValueError, "at least 1 resample.*got 0"),
        (lambda: intervals.bootstrap(x(3), confidence=95.0), ValueError, r"confidence in \(0, 1\).* 95.0"),
    ],
    "report.intervals.check_bootstrap": [
        (lambda: intervals.check_bootstrap(0, 0.95), ValueError, "at least 1 resample.*got 0"),
        (lambda: intervals.check_bootstrap(9, 1.0), ValueError, r"confidence in \(0, 1\).* 1.0"),
    ],
    "report.intervals.percentile_interval": [
        (
            lambda: intervals.percentile_interval((x(3),), np.mean, 0, 0.95, 0),
            ValueError,
            "at least 1 resample.*got 0",
        ),
    ],
    "report.evaluation_record.make_record": [
        (
            lambda: evaluation_record.make_record(
                None, {}, env_step=1, policy="mode", backend="jax", seed=0, num_envs=1, seconds=1.0
            ),
            ValueError,
            "at least one seed, got none",
        )
    ],
    "report.scores.aggregate": [
        (lambda: scores.aggregate({}), ValueError, "got no games"),
        (lambda: scores.aggregate({"a": []}), ValueError, "at least one score of every game.*'a': 0"),
        (
            lambda: scores.aggregate({"a": [1.0] * 97, "b": [1.0] * 89}),
            ValueError,
            "about equally many seeds of every game.*'a': 97",
        ),
        (lambda: scores.aggregate({"a": [float("nan")]}), ValueError, "finite scores"),
        (lambda: scores.aggregate({"a": [1.0]}, confidence=95.0), ValueError, r"confidence in \(0, 1\)"),
    ],
    "report.score_tables.make_tables": [
        (lambda: score_tables.make_tables({"Pong": ()}), ValueError, "at least one score .* none of Pong"),
    ],
    "report.run_scores.collect": [
        (lambda: run_scores.collect(["absent"]), CheckpointError, "absent: wanted a run directory"),
    ],
    "report.scores.probability_of_improvement": [
        (lambda: scores.probability_of_improvement({"a": [1.0]}, {"b": [1.0]}), ValueError, "the same games"),
        (lambda: scores.probability_of_improvement({}, {}), ValueError, "got no games"),
    ],
    "report.run_summary.series": [
        (lambda: run_summary.series(LINES, 1, "loss"), ValueError, "a level among the 1 .* got 1"),
        (lambda: run_summary.series(LINES, -1, "loss"), ValueError, "a level among the 1 .* got -1"),
    ],
    "report.run_summary.tenths": [
        (lambda: run_summary.tenths(run_summary.series(LINES, 0, "absent")), ValueError, "got none")
    ],
    "report.run_summary.rates": [(lambda: run_summary.rates([]), ValueError, "lines of metrics, got none")],
    "report.open_loop.predict": [
        (lambda: predict(starts=np.array([[0, 5]])), ValueError, "wanted 2 steps after the start at time 5"),
        (lambda: predict(starts=np.array([[1, 0]])), ValueError, "one of 1 episodes, got episode 1"),
        (lambda: predict(starts=np.array([[-1, 0]])), ValueError, "one of 1 episodes, got episode -1"),
        (
            lambda: predict(starts=START[:0]),
            ValueError,
            "at least 1 start.* got 0, 8 and 16",
        ),
        (lambda: predict(horizon=0), ValueError, "wanted 0 steps"),
        (lambda: predict(samples=0), ValueError, "got 1, 0"),
        (lambda: predict(batch=0), ValueError, "got 1, 8 and 0"),
    ],
    "report.open_loop_errors.open_loop": [
        (
            lambda: open_loop_errors.open_loop(None, [VECTORS], START, 2, KEY),
            ValueError,
            r"errors are of pictures: .* got float32 \(6, 3\)",
        ),
        (
            lambda: open_loop_errors.open_loop(None, [EPISODE], START, 2, KEY, samples=0),
            ValueError,
            "got 1, 0 and 16",
        ),
    ],
    "report.open_loop_errors.errors": [
        (lambda: open_loop_errors.errors([]), ValueError, "at least one prediction, got none"),
    ],
    "report.open_loop.select": [
        (lambda: open_loop.select([FORESEEN], [0, 2, -1]), ValueError, r"some of 2 starts, got \[2, -1\]"),
        (lambda: open_loop.select([FORESEEN], []), ValueError, "some of 2 starts, got none"),
    ],
    "report.open_loop.observe_episode": [
        (lambda: open_loop.observe_episode(None, EPISODE, KEY, chunk=0), ValueError, "at least 1 step")
    ],
    "report.open_loop_errors.squared_error": [
        (lambda: open_loop_errors.squared_error(PICTURES, PICTURES[:, :1]), ValueError, ONE_SHAPE)
    ],
    "report.open_loop_errors.summarise": [
        (lambda: open_loop_errors.summarise(ERRORS, (0,)), ValueError, r"steps from 1 to 2, got \[0\]"),
        (lambda: open_loop_errors.summarise(ERRORS, (1, 3)), ValueError, r"steps from 1 to 2, got \[3\]"),
    ],
    "report.recording.collect_episodes": [
        (lambda: collect("others", 5), EnvError, "those of the agent, got others"),
        (lambda: collect("those of the agent", 0), ValueError, "at least 1 step, got 0"),
    ],
    "report.recording.split_episodes": [
        (lambda: recording.split_episodes(STEPS, x(3)), ValueError, "an action for each of 4 steps, got 3")
    ],
    "report.recording.pick_starts": [
        (
            lambda: recording.pick_starts([EPISODE], 0, 2, np.random.default_rng(0)),
            ValueError,
            "got 0 starts and 2 steps",
        ),
        (
            lambda: recording.pick_starts([EPISODE], 9, 2, np.random.default_rng(0)),
            ValueError,
            "wanted 9 starts, got steps for 4",
        ),
    ],
    "report.ball.court_of": [(lambda: ball.court_of("Krull"), ValueError, "Pong or Breakout, got 'Krull'")],
    "report.ball.ball_place": [
        (lambda: ball.ball_place("Krull", PICTURES[..., 0]), ValueError, "Pong or Breakout, got 'Krull'")
    ],
    "report.ball.court_color": [
        (lambda: ball.court_color("Krull", GAME), ValueError, "Pong or Breakout, got 'Krull'")
    ],
    "report.ball.find_ball": [
        (lambda: ball.find_ball("Krull", GAME, x(3)), ValueError, "Pong or Breakout, got 'Krull'")
    ],
    "report.linear_probe.linear_probe": [
        (
            lambda: linear_probe.linear_probe(x(6, 2), x(6, 1), np.zeros(6)),
            ValueError,
            "at least two groups, .* got 1 groups",
        ),
        (
            lambda: linear_probe.linear_probe(x(6, 2), np.full((6, 1), np.nan), np.arange(6)),
            ValueError,
            "got 0 groups with 0 samples to fit and 0 to test",
        ),
    ],
    "report.figures.return_curves": [
        (
            lambda: figures.return_curves([], SimpleNamespace(), title="t"),
            ValueError,
            "at least one finished episode, got none",
        )
    ],
    "report.figures.values": [
        (lambda: figures.values({0: x(3)}, {0: x(2)}, SimpleNamespace(), title="t"), ValueError, ONE_SHAPE),
        (lambda: figures.values({0: x(0)}, {0: x(0)}, SimpleNamespace(), title="t"), ValueError, "got none"),
        (lambda: figures.values({}, {}, SimpleNamespace(), title="t"), ValueError, "one state, got none"),
    ],
    "report.figures.returns_by_cost": [
        (
            lambda: figures.returns_by_cost(["1 level"], [{}], [1.0], SimpleNamespace(), title="t"),
            ValueError,
            "at least one finished episode of 1 level, got none",
        )
    ],
    "report.figures.open_loop_pictures": [
        (
            lambda: figures.open_loop_pictures(
                SimpleNamespace(truth=PICTURES[:2, None]), (0, 3), SimpleNamespace()
            ),
            ValueError,
            r"steps from 1 to 2, got \[0, 3\]",
        )
    ],
}
