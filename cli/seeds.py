"""Lists of seeds as they are typed: `0,1,2,3`, `0-3`, `0-2,7`."""

import re
from collections.abc import Sequence
from typing import Any

import click

from hieros_eqx.config.validation import show

MOST = 1000


class SeedList(click.ParamType):
    """An option that takes a list of seeds."""

    name = "seeds"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, ...]:
        """Return the seeds in the order in which they were named."""
        if not isinstance(value, str):
            return value
        try:
            return parse_seeds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that a text names; `ValueError` if it names none, one twice, or too many."""
    seeds: list[int] = []
    shown = show(text)
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,20})(?:-([0-9]{1,20}))?", part.strip())
        if found is None:
            raise ValueError(f"{shown}: wanted whole numbers and ranges, as in 0,1,2 or 0-4 or 0-2,7.")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise ValueError(f"{shown}: {part.strip()} runs backwards; wanted {last}-{first}.")
        if len(seeds) + last - first >= MOST:
            raise ValueError(f"{shown}: wanted at most {MOST} seeds.")
        seeds += range(first, last + 1)
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"{shown}: wanted every seed once, got {format_seeds(twice)} twice.")
    return tuple(seeds)


def format_seeds(seeds: Sequence[int]) -> str:
    """Return seeds as short as `parse_seeds` takes them."""
    parts: list[str] = []
    begin = 0
    for i in range(1, len(seeds) + 1):
        if i == len(seeds) or seeds[i] != seeds[i - 1] + 1:
            first, last = seeds[begin], seeds[i - 1]
            parts.append(str(first) if first == last else f"{first}-{last}")
            begin = i
    return ",".join(parts)
