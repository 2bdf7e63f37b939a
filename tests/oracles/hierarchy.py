"""When each level of one environment observes, acts and is rewarded: a transcription of the definition.

Plain Python over one environment's stream of steps; imports nothing of the package.
"""

from dataclasses import dataclass, field


@dataclass
class Entry:
    """One replay entry of one level."""

    step: int  # index in the stream
    reward: float
    is_first: bool
    is_last: bool
    is_terminal: bool
    acts: bool
    below: list[int] = field(default_factory=list)  # which entries of the level below, oldest first


def entries(stream, levels, k, window, *, mean=True):
    """Return the entries of every level for a stream of (reward, is_first, is_last, is_terminal).

    Rewards of a macro-step are divided by its nominal length, or (not `mean`) only added up.
    """
    made = [[] for _ in range(levels)]
    start = 0  # step at which the episode began
    sums = [0.0] * levels
    opened = [0] * levels  # first entry of the episode, per level
    for step, (reward, is_first, is_last, is_terminal) in enumerate(stream):
        if is_first:
            start = step
            sums = [0.0] * levels
            opened = [len(m) for m in made]
        for level in range(levels):
            sums[level] += reward
            due = (step - start) % k**level == 0
            if not (due or is_last):
                continue
            below = []
            if level > 0:
                newest = len(made[level - 1]) - 1
                for back in reversed(range(window)):
                    below.append(max(newest - back, opened[level - 1]))
            made[level].append(
                Entry(
                    step=step,
                    reward=sums[level] / (k**level if mean else 1),
                    is_first=is_first,
                    is_last=is_last,
                    is_terminal=is_terminal,
                    acts=due and not is_last,
                    below=below,
                )
            )
            sums[level] = 0.0
    return made
