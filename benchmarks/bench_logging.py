"""Time what a run tells of itself, against the time that it takes to have something to tell.

    python benchmarks/bench_logging.py --preset laptop --game Pong

Trains through the real loop until all levels are trained, then for `--lines` log lines with event files, and
takes the time between two lines. Then, alone, what the loop waits for: a line of metrics and of an episode in
the files of lines and in TensorBoard's, one drawing of the table (as often as a terminal gets one), and the
pictures of a checkpoint with their files. `share` is all of that for one interval, over the interval; the
pictures count for the part of a checkpoint that an interval is.

Adds one line to `results/bench_logging.jsonl`.
"""

import argparse
import io
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench_loop import with_env
from machine import config_of, options, summary, table, write
from programs import small_replay, start_of_top

import hieros_eqx
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.report.watch.training_pictures import training_pictures
from hieros_eqx.training import log, records
from hieros_eqx.training.sinks import Sinks
from hieros_eqx.training.table import REFRESHES_PER_SECOND, Table

EPISODE = {"episode": 1, "env": 0, "return": 12.5, "length": 250, "truncated": False}


class Terminal(io.StringIO):
    """A terminal that nobody looks at."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config, env = with_env(config_of(chosen), chosen.game)
    config = with_lines(small_replay(config), chosen.lines)
    state, lines, intervals = run(config, env)
    alone = time_alone(config, state, lines[-1], chosen.repeats)
    between = statistics.median(intervals)
    checkpoint = min(
        config.training.checkpoint_every / config.training.log_every * between,
        60 * (config.training.checkpoint_minutes or float("inf")),
    )
    seconds = {name: found["median_ms"] / 1000 for name, found in alone.items()}
    spent = {
        "line": seconds["metrics_jsonl"] + seconds["metrics_tensorboard"],
        "episodes": chosen.episodes * (seconds["episode_jsonl"] + seconds["episode_tensorboard"]),
        "table": REFRESHES_PER_SECOND * between * seconds["table"],
        "pictures": (seconds["pictures"] + seconds["picture_files"]) * between / checkpoint,
    }
    share = {name: value / between for name, value in spent.items()}
    rows = [[name, found["median_ms"], found["max_ms"]] for name, found in alone.items()]
    print(table([["alone", "median ms", "max ms"], *rows]))
    parts = ", ".join(f"{name} {value:.3%}" for name, value in share.items())
    print(f"{1000 * between:,.0f} ms between two lines; {sum(share.values()):.2%} of it: {parts}")
    measured = {
        "environment": config.env.game or "a made-up environment",
        "log_every": config.training.log_every,
        "metrics_in_a_line": len(lines[-1]),
        "episodes_per_line": chosen.episodes,
        "between_lines": summary(intervals),
        "seconds_between_checkpoints": checkpoint,
        "alone": alone,
        "share_by_part": share,
        "share": sum(share.values()),
    }
    return write("bench_logging", chosen, arguments, measured)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "")
    parser.add_argument("--game", default="Pong", help="`none`: the made-up environment")
    parser.add_argument("--lines", type=int, default=5, help="timed, once all is compiled")
    parser.add_argument("--episodes", type=float, default=1.0, help="that end between two lines")
    return parser.parse_args(arguments)


def with_lines(config: HierosConfig, lines: int) -> HierosConfig:
    """Return the configuration of a run that ends some lines after all levels are compiled."""
    every = config.training.log_every
    steps = (start_of_top(config) // every + 2 + lines) * every
    return replace(config, training=replace(config.training, env_steps=steps))


def run(config: HierosConfig, env: Any) -> tuple[HierosState, list[dict[str, Any]], list[float]]:
    """Return the state at the end, all lines, and the seconds between those after the last compilation."""
    marks: list[tuple[int, float]] = []
    lines: list[dict[str, Any]] = []

    def mark(_state: HierosState, record: dict[str, Any]) -> None:
        marks.append((record["env_step"], time.perf_counter()))
        lines.append(record)

    with tempfile.TemporaryDirectory() as folder:
        sinks = [hieros_eqx.TensorBoard()]
        result = hieros_eqx.train(config, env, folder, [mark], progress=False, sinks=sinks)
    steady = [at for step, at in marks if step >= start_of_top(config) + config.training.log_every]
    return result.state, lines, [after - before for before, after in itertools.pairwise(steady)]


def time_alone(
    config: HierosConfig, state: HierosState, line: dict[str, Any], repeats: int
) -> dict[str, dict[str, float]]:
    """Return the time of everything that the loop, or the table's thread, does to tell of a run."""
    episode = {"seed": line["seed"], "env_step": line["env_step"], **EPISODE}
    shown = records.highlights([line], {line["seed"]: (1.0,) * 10}, {line["seed"]: 3.0})
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        sinks = Sinks([hieros_eqx.TensorBoard()], None, said.append)
        sinks.open(path, config, 0)
        display = Table(config.training.env_steps, 0, Terminal())
        display._console.width = 100
        display.note(shown)
        pictures = training_pictures(state, line["env_step"])
        drawn = Sinks([hieros_eqx.TensorBoard()], lambda *_: pictures, said.append)
        drawn.open(path, config, 0)
        steps = itertools.count(1)
        calls: dict[str, Callable[[], Any]] = {
            "metrics_jsonl": lambda: log.append(path / "metrics.jsonl", line),
            "metrics_tensorboard": lambda: sinks.metrics([line]),
            "episode_jsonl": lambda: log.append(path / "episodes.jsonl", episode),
            "episode_tensorboard": lambda: sinks.episodes([episode]),
            "table": lambda: display._console.print(display),
            "pictures": lambda: training_pictures(state, line["env_step"]),
            "picture_files": lambda: drawn.checkpoint(state, next(steps)),
        }
        times = {name: summary([_seconds(call) for _ in range(repeats)]) for name, call in calls.items()}
        sinks.close()
        drawn.close()
    assert not said, said
    return times


def _seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
