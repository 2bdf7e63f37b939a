"""When which levels are trained: pure host arithmetic, known without asking the device.

Level i is trained at every environment step s that `config.train_period(i)` divides, from
`config.train_start(i)` on. Periods divide those of the levels above and starts grow with the level, so
that the levels due at a step are always a prefix 0 .. depth-1.
"""

from hieros_eqx.config import HierosConfig


def due_depth(config: HierosConfig, env_step: int) -> int:
    """Return how many levels, from the lowest up, are trained at one environment step."""
    depth = 0
    while depth < config.levels and _is_due(config, depth, env_step):
        depth += 1
    return depth


def due_depths(config: HierosConfig, before: int, after: int) -> list[int]:
    """Return the depths of all updates due at environment steps `before < s <= after`, in order.

    With several environments one agent step advances several environment steps, and so may bring several
    updates.
    """
    every = config.train_period(0)
    first = before - before % every + every
    depths = (due_depth(config, env_step) for env_step in range(first, after + 1, every))
    return [depth for depth in depths if depth]


def train_steps(config: HierosConfig, env_step: int) -> tuple[int, ...]:
    """Return the number of updates of each level after `env_step` environment steps."""
    counts = []
    for level in range(config.levels):
        period, start = config.train_period(level), config.train_start(level)
        counts.append(max(0, env_step // period - (start - 1) // period))
    return tuple(counts)


def crosses(before: int, after: int, every: int) -> bool:
    """Whether a multiple of `every` lies in `before < s <= after`."""
    return after // every > before // every


def _is_due(config: HierosConfig, level: int, env_step: int) -> bool:
    return env_step >= config.train_start(level) and env_step % config.train_period(level) == 0
