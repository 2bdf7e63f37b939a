"""Configurations as plain JSON and as overrides `path.to.field=value`; differences between two."""

import dataclasses
import difflib
import json
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from hieros_eqx.config.hieros import HierosConfig
from hieros_eqx.config.strict_json import NotJSONError, parse_json
from hieros_eqx.config.validation import reject, shorten, show
from hieros_eqx.errors import ConfigError


def to_dict(config: HierosConfig) -> dict[str, Any]:
    """Return the configuration as nested dictionaries of JSON types."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_dict(values: Mapping[str, Any], base: HierosConfig | None = None) -> HierosConfig:
    """Return `base` (default: the default configuration) with some fields replaced by nested values.

    Raises `ConfigError` for an unknown field or a value that is not allowed.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"wanted a configuration as an object of fields, got {type(values).__name__}.")
    return _merge(base if base is not None else HierosConfig(), values, "")


def override(config: HierosConfig, assignments: Iterable[str]) -> HierosConfig:
    """Return `config` with assignments `path.to.field=value` applied; values are JSON or text.

    Raises `ConfigError` for what is no assignment, for an unknown field or a value that is not allowed.
    """
    if isinstance(assignments, str):
        raise ConfigError(f"{show(assignments)}: wanted a list of assignments, got one text.")
    tree: dict[str, Any] = {}
    for assignment in assignments:
        if not isinstance(assignment, str):
            raise ConfigError(f"{show(assignment)}: wanted a text path.to.field=value.")
        path, equals, text = assignment.partition("=")
        names = path.strip().split(".")
        if not equals or not all(names):
            raise ConfigError(
                f"{show(assignment)}: wanted path.to.field=value, as in world_model.s5.num_blocks=2."
            )
        node, path = tree, shorten(path.strip())
        *parents, leaf = names
        for name in parents:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise ConfigError(f"{path}: {name!r} was already set to a value.")
        node[leaf] = _parse(path, text)
    return _merge(config, tree, "")


def differences(first: HierosConfig, second: HierosConfig) -> list[str]:
    """Return one line `path: a -> b` for each field in which two configurations differ."""
    changed = changed_fields(first, second)
    return [f"{path}: {old!r} -> {new!r}" for path, (old, new) in changed.items()]


def changed_fields(first: HierosConfig, second: HierosConfig) -> dict[str, tuple[Any, Any]]:
    """Return both values of each field in which two configurations differ, by its path."""
    a, b = _flatten(to_dict(first)), _flatten(to_dict(second))
    return {path: (a[path], b[path]) for path in a if a[path] != b[path]}


def assignments(first: HierosConfig, second: HierosConfig) -> list[str]:
    """Return the assignments `path=value` by which `override` makes the second of the first."""
    changed = changed_fields(first, second)
    return [f"{path}={json.dumps(new)}" for path, (_, new) in changed.items()]


def _parse(path: str, text: str) -> Any:
    """The value of an assignment: text where it is no JSON, but JSON that cannot be read is an error."""
    try:
        return parse_json(text)
    except NotJSONError:
        return text
    except ValueError as error:
        raise ConfigError(f"{path} = {show(text)}: {error}.") from None


def _merge(config: Any, values: Mapping[str, Any], path: str) -> Any:
    hints = typing.get_type_hints(type(config))
    names = [spec.name for spec in dataclasses.fields(config)]
    changes = {}
    for name, value in values.items():
        full = f"{path}.{name}".lstrip(".")
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{shorten(full)}: no such field; there are {', '.join(names)}.{hint}")
        current = getattr(config, name)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, Mapping):
                raise reject(full, value, f"a group of fields; set them as {full}.field=value")
            changes[name] = _merge(current, value, full)
        elif typing.get_origin(hints[name]) is tuple and isinstance(value, list):
            changes[name] = tuple(value)
        else:
            changes[name] = value
    return dataclasses.replace(config, **changes)


def _flatten(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        full = f"{path}.{name}".lstrip(".")
        flat |= _flatten(value, full) if isinstance(value, Mapping) else {full: value}
    return flat
