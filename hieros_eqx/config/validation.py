"""Checks that every config dataclass makes of itself: types from its annotations, ranges from its fields."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, Union

from hieros_eqx.errors import ConfigError


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
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def reject(path: str, value: Any, wanted: str, remedy: str = "") -> ConfigError:
    """Return the error for one field: which, what was got, what is wanted, and what to do."""
    return ConfigError(f"{path} = {value!r}: wanted {wanted}." + (f" {remedy}" if remedy else ""))


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
        if annotation is float:  # so that 1 and 1.0 are one configuration
            object.__setattr__(config, spec.name, float(value))
        _check_bounds(path, value, spec.metadata)


def _check_bounds(path: str, value: Any, bounds: Mapping[str, int | float]) -> None:
    if not bounds or value is None:
        return
    words = {"at_least": ">= {}", "at_most": "<= {}", "above": "> {}"}
    wanted = "a number " + " and ".join(words[name].format(limit) for name, limit in bounds.items())
    ok = (
        value >= bounds.get("at_least", -math.inf)
        and value <= bounds.get("at_most", math.inf)
        and value > bounds.get("above", -math.inf)
    )
    if not ok:
        raise reject(path, value, wanted)
