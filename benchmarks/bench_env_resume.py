"""Time how Atari games are brought back to where they were, and see whether they then go on as before.

    python benchmarks/bench_env_resume.py --games Pong Breakout --episodes 3 --limit 300

Adds one line to `results/bench_env_resume.jsonl`. Each game is played at random through `--episodes`
episodes of at most `--limit` steps and 50 steps of one more, brought back by what is fast and by all actions,
and played on for `--then` steps. `exact`: every picture, reward, flag and byte of the emulator's memory was
then as in the run that went on. `--preset` and `--set` change nothing here.
"""

import argparse
import sys
import timeit
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from machine import options, table, write

from hieros_eqx.envs import ATARI100K_GAMES, History, RecordedEnv, VectorEnv, make_env
from hieros_eqx.envs.probe import constant_reward

OPEN = 50  # steps of the open episode


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    recording = {f"envs_{n}": recording_us(n, chosen.repeats) for n in (1, 8)}
    print(", ".join(f"{name}: {value:.1f} us a step to record" for name, value in recording.items()))
    games = {game: time_game(game, chosen) for game in chosen.games}
    rows = [
        [
            game,
            found["fast"]["how"],
            found["log_steps"],
            *(found[way][value] for way in ("fast", "whole") for value in ("steps", "seconds")),
            "yes" if found["exact"] else "NO",
        ]
        for game, found in games.items()
    ]
    print(table([["game", "by", "log", "steps", "s", "all steps", "all s", "exact"], *rows]))
    settings = {name: getattr(chosen, name) for name in ("envs", "episodes", "limit", "then")}
    measured = settings | {"recording_us_per_step": recording, "by_game": games}
    return write("bench_env_resume", chosen, arguments, measured)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "")
    parser.add_argument("--games", nargs="+", default=list(ATARI100K_GAMES))
    parser.add_argument("--envs", type=int, default=1, help="environments in one pool")
    parser.add_argument("--episodes", type=int, default=3, help="that the first environment ends")
    parser.add_argument("--limit", type=int, default=300, metavar="STEPS", help="of one episode")
    parser.add_argument("--then", type=int, default=300, metavar="STEPS", help="played on and compared")
    return parser.parse_args(arguments)


def time_game(game: str, chosen: argparse.Namespace) -> dict[str, Any]:
    make = partial(make_env, game=game, num_envs=chosen.envs, max_episode_frames=4 * chosen.limit)
    env = RecordedEnv(make())
    begun, known = play(env, chosen), env.history()
    rng = np.random.default_rng(1)
    later = rng.integers(0, env.spaces.action.size, (chosen.then, chosen.envs), dtype=np.int32)
    wanted = go_on(env, later)
    found: dict[str, Any] = {"log_steps": len(known.actions), "episodes": begun}
    histories = []
    for way, again in (("fast", make), ("whole", None)):
        fresh = RecordedEnv(make(), again=again)
        _, repetition = fresh.repeat(known)
        found[way] = repetition._asdict() | {"steps_per_s": repetition.steps / repetition.seconds}
        histories.append(go_on(fresh, later))
    equal = (np.array_equal(x, y) for got in histories for x, y in zip(got, wanted, strict=True))
    return found | {"exact": all(equal)}


def play(env: VectorEnv, chosen: argparse.Namespace) -> int:
    """Play at random to amid an episode of the first environment; return how many began in all of them."""
    rng = np.random.default_rng(0)
    begun = env.reset().is_first.astype(int)
    since = 0
    while begun[0] <= chosen.episodes or since < OPEN:
        timestep = env.step(rng.integers(0, env.spaces.action.size, env.num_envs))
        begun += timestep.is_first
        since = 0 if timestep.is_first[0] else since + 1
    return int(begun.sum())


def go_on(env: RecordedEnv, actions: np.ndarray) -> History:
    for action in actions:
        env.step(action)
    env.close()
    return env.history()


def recording_us(num_envs: int, repeats: int) -> float:
    """Return what a step takes longer when it is recorded, with pictures as large as Atari's."""
    action, best = np.zeros(num_envs, np.int32), []
    for wrap in (RecordedEnv, lambda env: env):
        env = wrap(constant_reward(num_envs=num_envs, images=True))
        env.reset()
        best.append(min(timeit.repeat(partial(env.step, action), number=100, repeat=20 * repeats)))
    return (best[0] - best[1]) / 100 * 1e6


if __name__ == "__main__":
    main()
