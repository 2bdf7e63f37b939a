"""What runs are called beside each other: by what differs between their configurations."""

from collections.abc import Sequence

from hieros_eqx.config.serialise import changed_fields
from hieros_eqx.report.page.run_data import RunData

MOST_FIELDS = 3
FIRST = ("env.game", "env.id", "levels", "world_model.kind")
# Told only where nothing else differs: which seeds, how long, and how often something is written.
LAST = ("training.seed", "training.seeds", "training.env_steps", "training.log_every")
LAST += ("training.checkpoint_every", "training.checkpoint_minutes", "training.keep_checkpoints", "preset")


def run_labels(runs: Sequence[RunData]) -> list[str]:
    """Return a name for each run, such as `kind=rssm`; where configurations are equal, of its directory."""
    first = runs[0].config
    paths: list[str] = []
    for run in runs[1:]:
        paths += [path for path in changed_fields(first, run.config) if path not in paths]
    paths.sort(key=lambda path: path not in FIRST)
    told = [path for path in paths if path not in LAST] or paths
    labels = [", ".join(_told(run, path) for path in told[:MOST_FIELDS]) for run in runs]
    if len(told) > MOST_FIELDS:
        labels = [f"{label}, ..." for label in labels]
    return [
        label if label and labels.count(label) == 1 else ", ".join(x for x in (label, _folder(run, i)) if x)
        for i, (label, run) in enumerate(zip(labels, runs, strict=True))
    ]


def _told(run: RunData, path: str) -> str:
    value = run.config
    for name in path.split("."):
        value = getattr(value, name)
    return f"{path.rpartition('.')[2]}={value}"


def _folder(run: RunData, number: int) -> str:
    return run.path.resolve().name or f"run {number + 1}"
