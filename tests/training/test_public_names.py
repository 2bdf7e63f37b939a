import subprocess
import sys

import pytest

import hieros_eqx


@pytest.mark.parametrize("name", sorted(set(hieros_eqx.__all__)))
def test_public_names_resolve(name):
    assert getattr(hieros_eqx, name) is not None
    assert name in dir(hieros_eqx)


def test_unknown_names_do_not():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        hieros_eqx.trian  # noqa: B018


def test_the_package_and_its_configuration_need_no_jax():
    code = (
        "import sys; sys.modules['jax'] = sys.modules['equinox'] = None\n"
        "import hieros_eqx, hieros_eqx.core\n"
        "hieros_eqx.make_preset('debug'); hieros_eqx.Spaces\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
