"""The head of the page: what was run, how far it is, how fast it was, and where it comes from."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from hieros_eqx.config import PRESETS
from hieros_eqx.config.serialise import changed_fields
from hieros_eqx.errors import CheckpointError, ConfigError
from hieros_eqx.report.evaluation_record import Evaluation, read_evaluations
from hieros_eqx.report.page.metric_charts import run_levels
from hieros_eqx.report.page.run_data import RunData
from hieros_eqx.report.run_summary import by_seed, nonfinite, rates, updates
from hieros_eqx.training.memory import show, state_bytes

TOLD_APART = ("env.game", "env.id", "training.seed", "training.seeds", "levels")  # rows of their own
LATEST = 100  # episodes at the end


class Difference(NamedTuple):
    """A field that is not as the preset has it."""

    path: str
    preset: str
    here: str


class Summary(NamedTuple):
    """One run in words and numbers."""

    name: str
    state: str
    facts: Sequence[tuple[str, str]]
    """Large numbers: label and value."""
    rows: Sequence[tuple[str, str]]
    origin: Sequence[tuple[str, str]]
    """Where it comes from: less often wanted."""
    preset: str
    differences: Sequence[Difference]


def summarise_run(run: RunData) -> Summary:
    """Return the summary of a run, with what `hieros-eqx eval` has written beside it."""
    try:
        evaluations, problem = newest_evaluations(read_evaluations(run.path)), ""
    except CheckpointError as error:
        evaluations, problem = [], str(error)
    rows = _rows(run, evaluations)
    rows += [("Evaluations", problem)] if problem else []
    return Summary(
        name=run.name,
        state=_state(run),
        facts=_facts(run, evaluations),
        rows=rows,
        origin=_origin(run),
        preset=run.config.preset,
        differences=_differences(run),
    )


def newest_evaluations(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Return those of the newest checkpoint that was evaluated, one for each training seed."""
    newest = max((own.env_step or 0 for own in evaluations), default=0)
    return [own for own in evaluations if (own.env_step or 0) == newest]


def _state(run: RunData) -> str:
    steps = run.config.training.env_steps
    if run.stopped:
        return f"stopped at step {run.env_step:,} of {steps:,}: updates were not finite (diagnosis.json)"
    if run.finished:
        return f"finished, {steps:,} environment steps"
    if not run.env_step:
        return f"nothing logged yet, of {steps:,} environment steps"
    return f"unfinished, {run.env_step:,} of {steps:,} environment steps ({run.env_step / steps:.0%})"


def _facts(run: RunData, evaluations: Sequence[Evaluation]) -> list[tuple[str, str]]:
    facts = []
    if evaluations:
        mean = float(np.mean([own.mean for own in evaluations]))
        facts.append(("return, evaluation", number(mean)))
    if run.episodes:
        own = [[x["return"] for x in episodes[-LATEST:]] for episodes in by_seed(run.episodes).values()]
        count = max(len(returns) for returns in own)
        label = f"return, last {count} episodes" + (" of each seed" if len(own) > 1 else "")
        facts.append((label, number(float(np.mean([np.mean(x) for x in own])))))
    facts.append(("environment steps", f"{run.env_step:,}"))
    if run.any_lines:
        measured = rates(run.any_lines)
        facts.append(("training time", duration(measured["wall_seconds"])))
        rate = measured.get("second_half_env_steps_per_second", measured["env_steps_per_second"])
        facts.append(("steps per second", number(rate)))
    return facts


def _rows(run: RunData, evaluations: Sequence[Evaluation]) -> list[tuple[str, str]]:
    config, start = run.config, run.start
    levels = f"{config.levels}" + (f", a macro-step of {config.macro_length}" if config.has_upper else "")
    rows = [
        ("Game" if config.env.game else "Environment", run.name),
        ("Levels", levels),
        ("Seeds", ", ".join(str(seed) for seed in config.all_seeds)),
        ("World model", config.world_model.kind.upper()),
    ]
    if run.any_lines and run_levels(run):
        rows.append(("Updates by level", ", ".join(f"{count:,}" for count in updates(run.any_lines))))
    rows += [("Evaluation", _evaluation(own, len(config.all_seeds) > 1)) for own in evaluations]
    bad = sum(sum(nonfinite(lines).values()) for lines in run.lines.values())
    if bad:
        rows.append(("Not finite", f"{bad} logged values"))
    if run.spaces is not None:
        size = state_bytes(config, run.spaces)
        parts = ", ".join(f"{name} {show(own)}" for name, own in size._asdict().items())
        rows.append(("Memory of the state", f"{show(size.total)}: {parts}"))
    device = start.get("device")
    if isinstance(device, Mapping):
        kind = device.get("kind", device.get("platform", "unknown"))
        rows.append(("Device", f"{device.get('count', 1)} \u00d7 {kind}"))
    if start.get("started"):
        rows.append(("Started", _time(start["started"])))
    return rows


def _origin(run: RunData) -> list[tuple[str, str]]:
    start, versions, resumed = run.start, run.start.get("versions"), run.start.get("resumed")
    titles = (("Command", "command"), ("Commit", "commit"), ("Platform", "platform"))
    rows = [(title, str(start[key])) for title, key in titles if start.get(key)]
    if isinstance(versions, Mapping):
        rows.append(("Versions", ", ".join(f"{name} {own}" for name, own in versions.items())))
    for own in resumed if isinstance(resumed, list) else []:
        if isinstance(own, Mapping):
            rows.append(("Resumed", f"at step {own.get('env_step')}, {_time(own.get('started', ''))}"))
    return [*rows, ("Directory", run.path.resolve().name)]


def _time(value: Any) -> str:
    """Return an ISO time as `2026-11-26 21:27 UTC`; anything else as it is."""
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return str(value)


def _evaluation(own: Evaluation, several: bool) -> str:
    text = f"seed {own.train_seed}: " if several else ""
    text += f"mean {number(own.mean)}"
    if own.interval is not None:
        text += f" [{number(own.interval[0])}, {number(own.interval[1])}]"
    text += f", median {number(own.median)}, {own.episodes} episodes"
    text += f", at step {own.env_step:,}" if own.env_step is not None else ""
    return text if own.human_normalised is None else f"{text}; human-normalised {own.human_normalised:.3f}"


def _differences(run: RunData) -> list[Difference]:
    if run.config.preset not in PRESETS:
        return []
    try:
        changed = changed_fields(PRESETS[run.config.preset](), run.config)
    except ConfigError:  # of a preset that can no longer be built
        return []
    return [
        Difference(path, _json(preset), _json(here))
        for path, (preset, here) in changed.items()
        if path not in TOLD_APART
    ]


def _json(value: Any) -> str:
    return json.dumps(value)


def number(value: float) -> str:
    """Return a number with three or four digits that matter and a true minus sign."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "\u2212")


def duration(seconds: float) -> str:
    """Return a time as `52 s`, `24 min` or `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
