"""Cases of what plays an episode and makes videos and pictures of it."""

from types import SimpleNamespace

import jax
import numpy as np

from hieros_eqx.errors import EnvError
from hieros_eqx.report.watch import episode_curves, episode_video, pictures, subgoals, terminal, video

GAME = np.zeros((2, 64, 64, 3), np.uint8)


def x(*shape):
    return np.ones(shape, np.float64)


def watch(steps=5, num_envs=1, spaces="those of the agent"):
    agent = SimpleNamespace(spaces="those of the agent")
    return subgoals.watch(agent, SimpleNamespace(num_envs=num_envs, spaces=spaces), jax.random.key(0), steps)


def decode(level, code):
    config = SimpleNamespace(levels=2, subgoal=SimpleNamespace(factors=2, classes=4))
    return subgoals.decode_codes(SimpleNamespace(config=config), level, np.array(code, np.int32))


WATCHING = {
    "report.watch.video.encode": [
        (lambda: video.encode(x(2, 4, 4, 3), 5), ValueError, r"uint8 \[time height width 3\].* got float64"),
        (lambda: video.encode(GAME[0], 5), ValueError, r"got uint8 \(64, 64, 3\)"),
        (lambda: video.encode(GAME[..., :1], 5), ValueError, r"got uint8 \(2, 64, 64, 1\)"),
        (lambda: video.encode(GAME[:0], 5), ValueError, "at least one of them, got uint8"),
        (lambda: video.encode(GAME, 0), ValueError, "rate of pictures above 0 a second, got 0"),
        (lambda: video.encode(GAME, float("nan")), ValueError, "above 0 a second, got nan"),
        (lambda: video.encode(np.zeros((1, 2, 5000, 3), np.uint8), 5), ValueError, "at most 4096 pixels"),
    ],
    "report.watch.video.encode_stream": [
        (lambda: video.encode_stream([], 5), ValueError, "at least one picture, got none"),
    ],
    "report.watch.video.upscale": [
        (lambda: video.upscale(GAME, 0), ValueError, "factor of at least 1, got 0"),
        (lambda: video.upscale(GAME, 1.5), ValueError, "whole factor of at least 1, got 1.5"),
        (lambda: video.upscale(GAME[..., 0], 2), ValueError, r"got uint8 \(1, 2, 64, 64\)"),
    ],
    "report.watch.video.side_by_side": [
        (lambda: video.side_by_side([]), ValueError, "at least one video, got none"),
        (lambda: video.side_by_side([GAME, GAME[:1]]), ValueError, r"one length, got \(2,\), \(1,\)"),
        (lambda: video.side_by_side([GAME], -1), ValueError, "gap of at least 0 pixels, got -1"),
    ],
    "report.watch.subgoals.watch": [(lambda: watch(num_envs=2), EnvError, "wanted one environment, got 2")],
    "report.watch.subgoals.watch_steps": [
        (lambda: watch(steps=0), ValueError, "at least 1 step, got 0"),
        (lambda: watch(spaces="others"), EnvError, "those of the agent, got others"),
    ],
    "report.watch.subgoals.decode_codes": [
        (lambda: decode(0, [[0, 0]]), ValueError, "a level from 1 to 1, which sets subgoals, got 0"),
        (lambda: decode(2, [[0, 0]]), ValueError, "a level from 1 to 1, .* got 2"),
        (lambda: decode(1, [[0, 0, 0]]), ValueError, r"codes \[time 2\], at least one, got \(1, 3\)"),
        (lambda: decode(1, np.zeros((0, 2), np.int32)), ValueError, r"at least one, got \(0, 2\)"),
        (lambda: decode(1, [[0, 4]]), ValueError, "classes from 0 to 3, got 0 to 4"),
        (lambda: decode(1, [[-1, 0]]), ValueError, "classes from 0 to 3, got -1 to 0"),
    ],
    "report.watch.pictures.as_pictures": [
        (lambda: pictures.as_pictures(x(2, 3), x(2, 4)), ValueError, r"float64 \(4,\) each, got float64"),
        (lambda: pictures.as_pictures(GAME, x(2, 64, 64, 3)), ValueError, "like the reference, float64"),
        (lambda: pictures.as_pictures(GAME[..., :2]), ValueError, r"got uint8 \(2, 64, 64, 2\)"),
        (lambda: pictures.as_pictures(x(2, 0)), ValueError, r"got float64 \(2, 0\)"),
        (lambda: pictures.as_pictures(x(2, 3) * np.nan), ValueError, "wanted finite numbers"),
    ],
    "report.watch.pictures.grid_of": [(lambda: pictures.grid_of(0), ValueError, "at least 1 number, got 0")],
    "report.watch.episode_curves.draw_curves": [
        (lambda: episode_curves.draw_curves(None, 300), ValueError, "at least 400 pixels, got 300")
    ],
    "report.watch.episode_video.default_fps": [
        (lambda: episode_video.default_fps(0), ValueError, "at least 1 step, got 0")
    ],
    "report.watch.terminal.fit": [
        (lambda: terminal.fit(GAME[0], 0, 4), ValueError, "1 x 1 pixels, got 0 x 4")
    ],
}

LEFT_OUT_OF_WATCHING = {
    "report.watch.subgoals.decode_subgoal": "the chain itself; `decode_codes` has refused what is wrong",
    "report.watch.episode_curves.level_color": "colours begin anew where levels run out of them",
    "report.watch.episode_video.episode_frames": "draws what `watch` has made",
    "report.watch.episode_video.write_episode": "`encode_stream` refuses its rate",
    "report.watch.terminal.show_steps": "shows what `watch_steps` gives",
}
