"""Checks that every config dataclass makes of itself: types from its annotations, ranges from its fields."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, Union

from hieros_eqx.errors import ConfigError

LARGEST_WHOLE = 2**31 - 1
"""Counters and seeds are 32 bits on the device; a larger seed would be the same as a smaller one there."""
LARGEST_REAL = 3.4e38
"""float32 on the device: beyond is infinity."""
SHOWN = 200  # characters of a value in a message


def option(
    default: Any,
    *,
    at_least: int | float | None = None,
    at_most: int | float | None = None,
    above: int | float | None = None,
):
    """Return a dataclass field with a default and the range that `validate` enforces."""
    bounds = {"at_least": at_least, "at_most": at_most, "above": above}
    return field(default=default, metadata={k: v for k, v in bounds.items() if v is not None})


def describe(annotation: Any) -> str:
    """Return what a field accepts, in the words of an error message."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " or ".join(repr(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(a) for a in args)
    if origin is tuple:
        return f"a list of {describe(args[0])}"
    if annotation is type(None):
        return "null"
    names = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def matches(value: Any, annotation: Any) -> bool:
    """Whether `value` is of the annotated type. A bool is no number; a whole number is a float too."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return any(type(value) is type(a) and value == a for a in args)
    if origin in (Union, types.UnionType):
        return any(matches(value, a) for a in args)
    if origin is tuple:
        return isinstance(value, tuple) and all(matches(v, args[0]) for v in value)
    if annotation is float:
        return matches(value, int) or (isinstance(value, float) and math.isfinite(value))
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def reject(path: str, value: Any, wanted: str, remedy: str = "") -> ConfigError:
    """Return the error for one field: which, what was got, what is wanted, and what to do."""
    return ConfigError(f"{path} = {show(value)}: wanted {wanted}." + (f" {remedy}" if remedy else ""))


def show(value: Any) -> str:
    """Return a value for a message; a long one is cut short."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"
    return shorten(text)


def shorten(text: str) -> str:
    """Return a text for a message; a long one is cut short."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def validate(config: Any) -> None:
    """Check every field of a config dataclass against its annotation and bounds.

    Raises `ConfigError` naming the field by its full path (`SECTION` of the class, then the field).
    """
    hints = typing.get_type_hints(type(config))
    for spec in dataclasses.fields(config):
        path = f"{config.SECTION}.{spec.name}".lstrip(".")
        value, annotation = getattr(config, spec.name), hints[spec.name]
        if not matches(value, annotation):
            raise reject(path, value, describe(annotation))
        _check_bounds(path, value, annotation, spec.metadata)
        if annotation is float:  # so that 1 and 1.0 are one configuration
            object.__setattr__(config, spec.name, float(value))


def _check_bounds(path: str, value: Any, annotation: Any, bounds: Mapping[str, int | float]) -> None:
    """Check numbers against the bounds of their field, and against what a device can hold."""
    largest = LARGEST_REAL if float in (annotation, *typing.get_args(annotation)) else LARGEST_WHOLE
    for number in value if isinstance(value, tuple) else (value,):
        if not matches(number, float):
            continue
        at_least, at_most = bounds.get("at_least", -largest), bounds.get("at_most", largest)
        if at_least <= number <= at_most and number > bounds.get("above", -math.inf):
            continue
        words = {"at_least": ">= {}", "at_most": "<= {}", "above": "> {}"}
        shown = bounds if abs(number) <= largest else {**bounds, "at_most": at_most}
        wanted = " and ".join(words[name].format(limit) for name, limit in shown.items())
        raise reject(path, value, f"a number {wanted}")
