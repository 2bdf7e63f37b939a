"""Versions of the configuration's layout: what an older hieros_eqx has written is brought up to date."""

from collections.abc import Callable, Mapping
from typing import Any

from hieros_eqx.config.hieros import HierosConfig
from hieros_eqx.config.serialise import to_dict
from hieros_eqx.errors import ConfigError

KEY, SCHEMA = "schema", 1
Step = Callable[[dict[str, Any]], dict[str, Any]]


def stamped(config: HierosConfig) -> dict[str, Any]:
    """Return a configuration as JSON types, with the version of its layout."""
    return {KEY: SCHEMA, **to_dict(config)}


def migrate(values: Mapping[str, Any], *, unmarked: int = SCHEMA) -> dict[str, Any]:
    """Return the fields of a configuration in today's layout, without its version.

    `unmarked` is the version of values that name none: those of run directories are of version 0, what a
    person has written is of today's. Raises `ConfigError` for a version that this code does not know.
    """
    fields = dict(values)
    version = fields.pop(KEY, unmarked)
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version <= SCHEMA:
        newer = isinstance(version, int) and version > SCHEMA
        remedy = "It was written by a newer hieros_eqx: install that." if newer else "It is damaged."
        raise ConfigError(f"{KEY} = {version!r}: wanted a version from 0 to {SCHEMA}. {remedy}")
    for step in _STEPS[version:]:
        fields = step(fields)
    return fields


def _from_0(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 1 only added fields, and each of them has a default that a run of version 0 can go on with."""
    return fields


_STEPS: tuple[Step, ...] = (_from_0,)  # from version i to i + 1
