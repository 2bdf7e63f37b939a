"""Every field of the configuration, found by reflection, with what its annotation and bounds exclude."""

import dataclasses
import math
import re
import types
import typing
from typing import Literal

import pytest

from hieros_eqx.config import HierosConfig, from_dict
from hieros_eqx.config.validation import LARGEST_REAL, LARGEST_WHOLE, show
from hieros_eqx.errors import ConfigError
from tests.bad_input.conftest import nested


def fields(config, path=""):
    """Yield (path, annotation, bounds) of all fields of a configuration that are no groups."""
    hints = typing.get_type_hints(type(config))
    for spec in dataclasses.fields(config):
        full = f"{path}.{spec.name}".lstrip(".")
        if dataclasses.is_dataclass(getattr(config, spec.name)):
            yield from fields(getattr(config, spec.name), full)
        else:
            yield full, hints[spec.name], dict(spec.metadata)


def groups(config, path=""):
    """Yield the paths of all groups of fields."""
    for spec in dataclasses.fields(config):
        if dataclasses.is_dataclass(getattr(config, spec.name)):
            full = f"{path}.{spec.name}".lstrip(".")
            yield full
            yield from groups(getattr(config, spec.name), full)


WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    type(None): "null",
}
EXCLUDED = {  # kind -> what is of another type; JSON's values and some of Python's that a program may pass
    bool: [0, 1, "true", None, [], {}],
    int: [1.5, 2.0, "2", True, None, [2], {}, math.nan, math.inf],
    float: ["0.5", True, None, [0.5], {}, math.nan, math.inf, -math.inf, 1j],
    str: [3, True, ["a"], {}, b"Pong"],
    Literal: ["", "no such choice", 0, True, None, [], {}],
    tuple: ["text", 3, True, None, [None], [[]], [1.5], [{}]],
}


def kinds(annotation):
    """Return the kinds that a field takes: `int | None` takes two."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    return [typing.get_origin(member) or member for member in members]


def wrong_values(annotation):
    """Return values of every type that the annotation excludes."""
    taken = kinds(annotation)
    values = EXCLUDED[taken[0]]
    return [value for value in values if not (value is None and type(None) in taken)]


def wanted_words(annotation):
    """Return what a message has to say is allowed."""
    if typing.get_origin(annotation) is Literal:
        return [repr(choice) for choice in typing.get_args(annotation)]
    if typing.get_origin(annotation) is tuple:
        return ["a list of " + WORDS[typing.get_args(annotation)[0]]]
    return [WORDS[kind] for kind in kinds(annotation)]


def beyond_bounds(annotation, bounds):
    """Return (value, words of the message) just outside of a field's bounds, and beyond all numbers."""
    kind = kinds(annotation)[0]
    if kind not in (int, float):
        return
    if "at_least" in bounds:
        least = bounds["at_least"]
        yield least - 1 if kind is int else math.nextafter(least, -math.inf), f">= {least}"
    if "at_most" in bounds:
        most = bounds["at_most"]
        yield most + 1 if kind is int else math.nextafter(most, math.inf), f"<= {most}"
    if "above" in bounds:
        yield bounds["above"], f"> {bounds['above']}"
    largest = LARGEST_WHOLE if kind is int else LARGEST_REAL
    limit = f"<= {bounds.get('at_most', largest)}"
    yield from ((value, limit) for value in (10**400, 10**5000, LARGEST_WHOLE + 1)[: 3 if kind is int else 2])
    if kind is float:
        yield 1e39, limit


FIELDS = list(fields(HierosConfig()))
TYPES = [(path, value, wanted_words(kind)) for path, kind, _ in FIELDS for value in wrong_values(kind)]
BOUNDS = [
    (path, value, [words]) for path, kind, bounds in FIELDS for value, words in beyond_bounds(kind, bounds)
]


def refused(path, value, words):
    with pytest.raises(ConfigError) as caught:
        from_dict(nested(path, value))
    message = str(caught.value)
    given = tuple(value) if isinstance(value, list) and "a list of" in words[0] else value
    assert message.startswith(f"{path} = {show(given)}: wanted "), message
    assert all(word in message for word in words), message
    assert "\n" not in message and len(message) < 500


# One test for each field: a test for each value would take pytest longer than the checks.
@pytest.mark.parametrize("path", [path for path, *_ in FIELDS])
def test_another_type(path):
    cases = [case for case in TYPES if case[0] == path]
    assert cases
    for case in cases:
        refused(*case)


@pytest.mark.parametrize("path", sorted({path for path, *_ in BOUNDS}))
def test_just_outside_the_bounds_and_far_away(path):
    for case in BOUNDS:
        if case[0] == path:
            refused(*case)


@pytest.mark.parametrize("path", list(groups(HierosConfig())))
@pytest.mark.parametrize("value", [None, 3, "text", [], [{}], True])
def test_a_group_is_no_value(path, value):
    refused(path, value, ["a group of fields"])


@pytest.mark.parametrize("path", ["", *groups(HierosConfig())])
@pytest.mark.parametrize("name", ["", "no_such_field", "Levels", "__class__", "SECTION", "über"])
def test_a_field_that_does_not_exist(path, name):
    full = f"{path}.{name}".lstrip(".")
    with pytest.raises(ConfigError, match=rf"^{re.escape(full)}: no such field; there are .*"):
        from_dict(nested(full, 1) if name else nested(path, {"": 1}) if path else {"": 1})


def test_every_number_has_bounds_and_there_are_many_cases():
    for path, kind, bounds in FIELDS:
        if kinds(kind)[0] in (int, float):
            assert bounds.keys() & {"at_least", "above"}, path
    assert len(FIELDS) > 60
    assert len(TYPES) + len(BOUNDS) > 600


def test_bounds_themselves_are_allowed():
    """So that the tests above do not pass because nothing does; cross-field rules are others' tests."""
    alone = [f for f in FIELDS if not re.search(r"init_blocks|step_m|\.state$|bins$|capacity|num_envs", f[0])]
    for path, _, bounds in alone:
        for name in ("at_least", "at_most"):
            if name in bounds:
                from_dict(nested(path, bounds[name]))


@pytest.mark.parametrize("values", [None, 3, "levels", [], [("levels", 2)]])
def test_a_configuration_is_an_object(values):
    with pytest.raises(ConfigError, match="wanted a configuration as an object of fields, got"):
        from_dict(values)
