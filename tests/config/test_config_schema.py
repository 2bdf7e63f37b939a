"""Configurations of other versions: brought up to date, or refused with the reason."""

import pytest

from hieros_eqx.config import from_dict, make_preset, to_dict
from hieros_eqx.config.schema import SCHEMA, migrate, stamped
from hieros_eqx.errors import ConfigError

VERSION_0_LACKS = (("training", "checkpoint_minutes"), ("training", "max_skipped_updates"))


def test_what_is_written_today_comes_back():
    config = make_preset("laptop")
    assert stamped(config)["schema"] == SCHEMA
    assert from_dict(migrate(stamped(config), unmarked=0)) == config


def test_a_run_of_version_0_gets_the_defaults_of_what_came_later():
    config = make_preset("debug")
    old = to_dict(config)
    for group, name in VERSION_0_LACKS:
        del old[group][name]
    assert from_dict(migrate(old, unmarked=0)) == config


def test_what_a_person_writes_needs_no_version():
    assert migrate({"levels": 2}) == {"levels": 2}


@pytest.mark.parametrize("version", [SCHEMA + 1, -1, "1", None, True, 1.0])
def test_an_unknown_version_is_refused(version):
    with pytest.raises(ConfigError, match=rf"schema = .*: wanted a version from 0 to {SCHEMA}\."):
        migrate({"schema": version})


def test_a_newer_version_says_what_to_do():
    with pytest.raises(ConfigError, match="newer hieros_eqx: install that"):
        migrate({"schema": 2})


def test_a_field_that_is_gone_is_named():
    with pytest.raises(ConfigError, match=r"training\.momentum: no such field"):
        from_dict(migrate(to_dict(make_preset("debug")) | {"training": {"momentum": 1}}, unmarked=0))
