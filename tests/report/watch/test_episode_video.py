from dataclasses import replace

import numpy as np
import pytest

from hieros_eqx.report.watch import episode_video
from hieros_eqx.report.watch.episode_curves import FIELD, LEVEL_COLORS, draw_curves, level_color
from hieros_eqx.report.watch.episode_video import default_fps, episode_frames, write_episode
from tests.report.watch.watched_episodes import ACTIONS, SIDE, make_episode

LENGTH = 9


def layout_of(episode):
    return episode_video._layout(episode)


def rgb(color):
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


@pytest.fixture(scope="module", params=[1, 3])
def drawn(request):
    episode = make_episode(request.param, LENGTH)
    return episode, list(episode_frames(episode, title="Pong"))


def test_one_picture_a_step_all_of_one_even_size(drawn):
    episode, frames = drawn
    assert len(frames) == LENGTH
    (shape,) = {frame.shape for frame in frames}
    assert shape == ((662, 640, 3) if episode.levels == 1 else (774, 1000, 3))


def test_every_panel_shows_its_level_at_its_time(drawn):
    """From the corners and the middle of each panel: the whole of 256 pixels is filled, 16 a pixel."""
    episode, frames = drawn
    layout = layout_of(episode)
    assert 256 % SIDE == 0
    for t, frame in enumerate(frames):
        for level, left in enumerate(layout.panels):
            wanted = episode.subgoals[level - 1][t, 0, 0] if level else episode.observation[t, 0, 0]
            for row, column in ((0, 0), (128, 128), (255, 255)):
                np.testing.assert_array_equal(frame[layout.top + row, left + column], wanted)


def test_a_new_subgoal_has_a_white_frame(drawn):
    episode, frames = drawn
    layout = layout_of(episode)
    for t, frame in enumerate(frames):
        for level in range(1, episode.levels):
            edge = frame[layout.top - 2, layout.panels[level] + 100]
            new = t % 2**level == 0
            np.testing.assert_array_equal(edge, [255] * 3 if new else rgb(level_color(level)))
            below = frame[layout.top + 256 + 3 + 7, layout.panels[level] : layout.panels[level] + 256]
            left_over = (below == rgb(level_color(level))).all(axis=-1).sum()
            assert left_over == round(256 * (1 - t % 2**level / 2**level))


def test_the_action_that_was_taken_is_bright(drawn):
    episode, frames = drawn
    layout = layout_of(episode)
    for t, frame in enumerate(frames[:-1]):
        bright = []
        for top, bottom in episode_video._bands(episode, layout):
            line = frame[(top + bottom) // 2, layout.choices + 20 : layout.width - 24]
            bright.append((line == rgb(level_color(0))).all(axis=-1).sum() / len(line))
        assert np.argmax(bright) == t % ACTIONS
        assert max(bright) == pytest.approx(0.6, abs=0.01)
        assert sorted(bright)[:-1] == [0, 0]


def test_the_cursor_goes_from_the_first_step_to_the_last(drawn):
    episode, frames = drawn
    curves = draw_curves(episode, frames[0].shape[1])
    top = layout_of(episode).curves
    places = []
    for frame in frames:
        (left, above, right, below), columns = curves.fields[0], curves.columns[0]
        field = frame[top + above : top + below, left:right]
        white = np.flatnonzero((field == 232).all(axis=(0, 2)))
        places.append(int(white[0]) + left)
        assert len(white) == 2
    assert places == columns.tolist()
    assert np.diff(places).min() > 0


def test_curves_are_bright_up_to_the_cursor():
    episode = make_episode(2, LENGTH)
    curves = draw_curves(episode, 800)
    picture, step = curves.at(4), curves.columns[2][4]
    left, top, right, bottom = curves.fields[2]
    assert len(curves.fields) == 6
    np.testing.assert_array_equal(picture[top:bottom, left:step], curves.bright[top:bottom, left:step])
    np.testing.assert_array_equal(
        picture[top:bottom, step + 2 : right], curves.faint[top:bottom, step + 2 : right]
    )
    assert (curves.bright[top:bottom, step + 2 : right] != curves.faint[top:bottom, step + 2 : right]).any()
    np.testing.assert_array_equal(picture[:, :left], curves.faint[:, :left])


def test_every_level_has_its_colour_where_its_numbers_are():
    """Subgoal rewards are those of the worker and level 1; the top level of three has none."""
    episode = make_episode(3, LENGTH)
    curves = draw_curves(replace(episode, reward_parts=episode.value), 800)  # far from each other
    for field in range(6):
        left, top, right, bottom = curves.fields[field]
        # Lines are smoothed: their pixels lie between the background and their colour.
        pixels = curves.bright[top:bottom, left:right].reshape(-1, 3) - rgb(FIELD)
        pixels = pixels[np.linalg.norm(pixels, axis=1) > 60].astype(float)
        pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
        colors = [rgb(color) - rgb(FIELD) for color in LEVEL_COLORS[:3]]
        near = [bool((pixels @ (color / np.linalg.norm(color)) > 0.998).any()) for color in colors]
        assert near == [True, True, field not in (2, 3)], field


@pytest.mark.parametrize(("steps", "fps"), [(1000, 15), (75, 15), (50, 10), (10, 2), (1, 2)])
def test_short_episodes_last_a_while(steps, fps):
    assert default_fps(steps) == fps


def test_vectors_continuous_actions_and_a_single_step(tmp_path):
    episode = make_episode(2, 1, images=False, discrete=False)
    video = write_episode(episode, tmp_path / "episode.mp4", title="Pendulum", fps=2)
    assert (tmp_path / "episode.mp4").read_bytes() == video
    frames = list(episode_frames(make_episode(2, 4, images=False, discrete=False), title="Pendulum"))
    assert len(frames) == 4
    assert (frames[0] != frames[3]).any()


def test_pictures_that_hardly_change_cost_little(tmp_path):
    assert len(write_episode(make_episode(1, 25), tmp_path / "episode.mp4", title="Pong", fps=15)) < 60_000


def test_a_long_title_leaves_room_for_the_step():
    """Nothing of it is right of where the widest count of steps begins."""
    episode = make_episode(1, 2)
    short, long = (next(episode_frames(episode, title=title)) for title in ("Pong", "module.of.mine:" * 9))
    assert (short[:50, 24:340] != long[:50, 24:340]).any()
    np.testing.assert_array_equal(short[:50, 346:], long[:50, 346:])
