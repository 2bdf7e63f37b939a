"""What is asked of XLA for GPUs, and when nothing is."""

import jax
import pytest

from hieros_eqx.backend import compiler

VERSIONS = {"jax": "0.11.2", "jax-cuda13-plugin": "0.11.2"}


@pytest.fixture
def installed(monkeypatch):
    """Pretend that some packages are installed, and put JAX's configuration back afterwards."""
    before = jax.config.jax_threefry_gpu_kernel_lowering
    monkeypatch.delenv("XLA_FLAGS", raising=False)

    def version(package, found=VERSIONS):
        if package not in found:
            raise compiler.PackageNotFoundError(package)
        return found[package]

    monkeypatch.setattr(compiler, "version", version)
    yield lambda found: monkeypatch.setattr(compiler, "version", lambda package: version(package, found))
    jax.config.update("jax_threefry_gpu_kernel_lowering", before)


@pytest.mark.usefixtures("installed")
def test_a_gpu_gets_all_options():
    assert compiler.compile_quickly_for_gpu()
    assert compiler.os.environ["XLA_FLAGS"].split() == list(compiler.XLA_FLAGS)
    assert jax.config.jax_threefry_gpu_kernel_lowering


@pytest.mark.usefixtures("installed")
def test_the_users_flags_stand(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_triton_gemm=true --xla_dump_to=x")
    assert compiler.compile_quickly_for_gpu()
    first, second, *rest = compiler.os.environ["XLA_FLAGS"].split()
    assert (first, second) == ("--xla_gpu_enable_triton_gemm=true", "--xla_dump_to=x")
    assert rest == [compiler.XLA_FLAGS[0], compiler.XLA_FLAGS[2]]


@pytest.mark.parametrize(
    "found",
    [{"jax": "0.11.2"}, {"jax": "0.13.0", "jax-cuda13-plugin": "0.13.0"}],
    ids=["no GPU", "a JAX that was not tried"],
)
def test_nothing_is_asked_where_it_may_not_be_understood(installed, found):
    installed(found)
    assert not compiler.compile_quickly_for_gpu()
    assert "XLA_FLAGS" not in compiler.os.environ
