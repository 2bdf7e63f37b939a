import json

import numpy as np

from hieros_eqx.training import log


def test_lines_are_plain_json_and_say_what_was_not_finite(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log.append(
        path, {"env_step": 1, "a": np.float32(0.5), "b": float("nan"), "c": np.float64("inf"), "d": "x"}
    )
    log.append(path, {"env_step": np.int64(2), "flag": np.bool_(True)})
    first, second = (json.loads(line, parse_constant=None) for line in path.read_text().splitlines())
    assert first == {"env_step": 1, "a": 0.5, "b": None, "c": None, "d": "x", "nonfinite": ["b", "c"]}
    assert second == {"env_step": 2, "flag": True}
    assert log.read(path) == [first, second]


def test_rewind_drops_what_came_after_and_a_line_cut_short(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log.rewind(path, 10)
    assert not path.exists()
    assert log.read(path) == []
    for env_step in (5, 10, 15):
        log.append(path, {"env_step": env_step})
    with path.open("a") as file:
        file.write('{"env_step": 20, "lo')
    assert [r["env_step"] for r in log.read(path)] == [5, 10, 15]
    log.rewind(path, 10)
    assert path.read_text() == '{"env_step": 5}\n{"env_step": 10}\n'
    log.rewind(path, 10)
    log.append(path, {"env_step": 15})
    assert [r["env_step"] for r in log.read(path)] == [5, 10, 15]
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


def test_rewind_keeps_a_whole_last_line_without_its_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"env_step": 5}\n{"env_step": 6}')
    log.rewind(path, 10)
    log.append(path, {"env_step": 7})
    assert [r["env_step"] for r in log.read(path)] == [5, 6, 7]


def test_write_json_replaces(tmp_path):
    path = tmp_path / "run.json"
    log.write_json(path, {"a": 1})
    log.write_json(path, {"b": 2})
    assert json.loads(path.read_text()) == {"b": 2}
    assert list(tmp_path.iterdir()) == [path]
