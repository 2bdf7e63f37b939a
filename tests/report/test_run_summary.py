import numpy as np
import pytest

from hieros_eqx.report.run_summary import by_seed, nonfinite, rates, series, tenths, updates

NAME = "level0/world_model/reconstruction"


def line(env_step, counts, **values):
    train = {f"level{i}/train_step": count for i, count in enumerate(counts)}
    return {"env_step": env_step, "seconds": env_step / 4, **train, **values}


@pytest.fixture
def lines():
    return [
        line(10, (0, 0)),
        line(20, (5, 0), **{NAME: 100.0}),
        line(30, (30, 0), **{NAME: 40.0}),
        line(40, (95, 2), **{NAME: 20.0}),
        line(50, (100, 3), **{NAME: None, "nonfinite": [NAME, "level1/behaviour/actor_loss"]}),
    ]


def test_tenths_weigh_every_update(lines):
    """Of 100 updates the first ten are five at 100 and five at 40; the last ten five at 20 and five at 8."""
    lines[-1] = line(50, (100, 3), **{NAME: 8.0})
    result = tenths(series(lines, 0, "world_model/reconstruction"))
    np.testing.assert_allclose(result, (70.0, 14.0))
    np.testing.assert_allclose(result.ratio, 0.2)


def test_series_leaves_out_lines_without_updates_and_keeps_what_is_not_finite(lines):
    metric = series(lines, 0, "world_model/reconstruction")
    assert metric.env_step == [20, 30, 40, 50]
    assert metric.updates == [5, 25, 65, 5]
    np.testing.assert_array_equal(metric.mean, [100, 40, 20, np.nan])
    assert np.isnan(tenths(metric).last)


def test_counts(lines):
    assert updates(lines) == [100, 3]
    assert nonfinite(lines) == {NAME: 1, "level1/behaviour/actor_loss": 1}
    assert nonfinite(lines[:-1]) == {}


def test_rates(lines):
    result = rates(lines)
    assert result["wall_seconds"] == 12.5
    assert result["env_steps_per_second"] == 4
    assert result["second_half_env_steps_per_second"] == 4
    np.testing.assert_allclose(result["second_half_level0_updates_per_second"], 70 / 5)


def test_a_level_that_was_not_trained_has_no_tenths(lines):
    with pytest.raises(ValueError, match="never trained"):
        tenths(series(lines[:1], 0, "world_model/reconstruction"))


def test_lines_by_seed():
    """Seeds ascend, lines keep their order."""
    lines = [{"seed": seed, "env_step": step} for step, seed in enumerate((4, 1, 4, 1, 1))]
    found = by_seed(lines)
    assert list(found) == [1, 4]
    assert {seed: [line["env_step"] for line in own] for seed, own in found.items()} == {
        1: [1, 3, 4],
        4: [0, 2],
    }
    assert by_seed([]) == {}
