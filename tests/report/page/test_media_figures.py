import base64
import io
import re

import numpy as np
from PIL import Image

from hieros_eqx.report.page.media_figures import open_loop_figures, reward_group, wanted_figures
from hieros_eqx.report.page.picture_grid import GAP, LARGE, absolute_error, to_rgb, vector_picture
from tests.report.page.hand_made import make_dream, make_episode
from tests.report.watch.test_video import decode


def images(figure):
    found = re.findall(r"data:image/png;base64,([^\"]+)", figure.bodies[0])
    return [np.array(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def frames(figure, tmp_path):
    (data,) = re.findall(r"data:video/mp4;base64,([^\"]+)", figure.bodies[0])
    return decode(base64.b64decode(data), tmp_path)[0]


def test_predictions_of_pictures(rng, tmp_path):
    seen = make_dream(rng, horizon=6, starts=3)
    video, still, errors = open_loop_figures(seen)
    played = frames(video, tmp_path)
    assert played.shape == (7, LARGE * (3 * 64 + 2 * GAP), LARGE * (3 * 64 + 2 * GAP), 3)
    for tag in ("controls", "loop", "muted", "playsinline"):
        assert f" {tag} " in video.bodies[0]
    (picture,) = images(still)
    assert picture.shape == (3 * 64 + 2 * GAP, 6 * 64 + 5 * GAP, 4)
    times = [0, 1, 2, 4, 5, 6]
    for column, t in enumerate(times):
        left = column * (64 + GAP)
        rows = [picture[top : top + 64, left : left + 64, :3] for top in (0, 64 + GAP, 2 * (64 + GAP))]
        np.testing.assert_array_equal(rows[0], seen.truth[t, 0])
        np.testing.assert_array_equal(rows[1], seen.predicted[t, 0])
        np.testing.assert_array_equal(
            rows[2], np.abs(seen.truth[t, 0].astype(int) - seen.predicted[t, 0].astype(int))
        )
    assert (picture[:64, 64 : 64 + GAP, 3] == 0).all() and (picture[:64, :64, 3] == 255).all()
    assert re.findall(r"<span>(\w+)</span>", still.bodies[0]) == [
        "start", "1", "2", "4", "5", "6", "truth", "prediction", "error",
    ]  # fmt: skip
    assert errors.title == "Mean squared error" and len(errors.bodies) == 2


def test_predictions_of_vectors(rng):
    picture, errors = open_loop_figures(make_dream(rng, shape=(5,)))
    (shown,) = images(picture)
    assert shown.shape[1] > 2 * shown.shape[0] > 0
    assert "truth" in picture.bodies[0] and "3 starts" in picture.caption
    assert errors.legend[1].style == "dashed"


def test_what_levels_want_in_pictures(rng, tmp_path):
    episode = make_episode(rng, levels=3, length=12)
    video, still = wanted_figures(episode)
    assert frames(video, tmp_path).shape == (12, LARGE * 64, LARGE * (3 * 64 + 2 * GAP), 3)
    assert re.findall(r"<span>([\w ]+)</span>", video.bodies[0]) == ["seen", "level 1 wants", "level 2 wants"]
    (picture,) = images(still)
    np.testing.assert_array_equal(picture[:64, -64:, :3], episode.observation[-1])
    np.testing.assert_array_equal(picture[-64:, -64:, :3], episode.subgoals[1][-1])
    assert video.title == "12 steps, cut short"


def test_what_levels_want_in_vectors(rng):
    (figure,) = wanted_figures(make_episode(rng, shape=(4,), levels=2))
    assert re.findall(r"<span>([\w ]+)</span>", figure.bodies[0]) == ["seen", "level 1 wants"]


def test_rewards_over_an_episode(rng):
    episode = make_episode(rng, levels=2)
    episode.reward_parts[:, 1, 1] = 0  # the top level is given no subgoal
    group = reward_group(episode)
    assert [figure.title for figure in group.figures] == ["Level 0", "Level 1"]
    colors = [set(re.findall(r"--series-(\d)", figure.bodies[0])) for figure in group.figures]
    assert colors == [{"3", "4", "5"}, {"4", "5"}]
    assert [entry.text for entry in group.legend] == ["extrinsic", "subgoal", "novelty"]
    episode.reward_parts[:] = 0
    assert reward_group(episode) is None


def test_vectors_as_pictures():
    values = np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 9.0]])
    picture = vector_picture(values, 0.0, 3.0, 6.0)
    assert picture.shape == (2, 12, 3)  # three steps, four columns each
    np.testing.assert_array_equal(picture[0, 0], picture[0, 8])  # both 0
    np.testing.assert_array_equal(picture[1, 4], picture[1, 8])  # 3, and what lies above
    assert picture[1, 8].sum() > picture[0, 0].sum()
    assert vector_picture(np.zeros((90, 1)), 0.0, 0.0, 3.0).shape == (30, 90, 3)


def test_pictures_of_other_channels():
    grey = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    np.testing.assert_array_equal(to_rgb(grey)[..., 1], grey[..., 1])
    assert to_rgb(np.zeros((3, 4, 5, 3), np.uint8)).shape == (3, 4, 5, 3)
    assert absolute_error(np.array([3, 250], np.uint8), np.array([5, 10], np.uint8)).tolist() == [2, 240]
