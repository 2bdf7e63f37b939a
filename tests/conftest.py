"""Fixtures of all tests, and JAX at its strictest.

Nothing here imports the package: the jaxtyping plugin hooks its modules as they are first imported. With
`HIEROS_EQX_TEST_X32=1` JAX runs with production's defaults (float32, implicit promotion) and tests marked
`x64`, whose tolerances need double precision in JAX, are skipped.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import coverage
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

# Compilation takes most of the time here, and tiny programs run as fast without XLA's costly passes: in this
# process and in those that tests start.
jax.config.update("jax_disable_most_optimizations", True)
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

# What one process has compiled, the others of the same run of the tests read: workers, and commands that
# tests start. The folder is not the user's: programs compiled for the compiler's speed do not belong there.
MINE = "HIEROS_EQX_TEST_PROGRAMS" not in os.environ
if MINE:
    os.environ["HIEROS_EQX_TEST_PROGRAMS"] = tempfile.mkdtemp(prefix="hieros-eqx-tests-")
    # The older way to emit fusions, in one module, compiles an update of two levels in a third of the time.
    # An XLA that does not know a flag ends the process, hence the version.
    if jax.__version_info__ < (0, 11):
        quick = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {quick}".strip()
PROGRAMS = os.environ["HIEROS_EQX_TEST_PROGRAMS"]
os.environ["HIEROS_EQX_COMPILATION_CACHE"] = PROGRAMS
jax.config.update("jax_compilation_cache_dir", PROGRAMS)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

X32 = os.environ.get("HIEROS_EQX_TEST_X32") == "1"

if not X32:
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_numpy_dtype_promotion", "strict")


gc.set_threshold(50_000)  # JAX traces into millions of small objects, and hardly any is ever garbage

# Folders whose tests count for coverage, which makes tracing twice as long.
COVERING = {"core", "agent", "golden"}
# Folders that train again what other tests have checked the types of, which takes a third of tracing.
UNTYPED = {"benchmarks", "faults", "learning"}
SHARED = ("benchmarks", "faults", "training")  # folders whose tests share what is costly to make
LONGEST = {"learning", *SHARED}  # folders to begin with: what takes minutes must not be left to the end


def within(item: pytest.Item, folders: set[str]) -> bool:
    """Whether a test lies in one of the folders, whatever the checkout's own folder is called."""
    return not folders.isdisjoint(Path(item.nodeid.partition("::")[0]).parts)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "x64: compares at double precision in JAX; skipped in the float32 run")


def pytest_unconfigure() -> None:
    if MINE:
        shutil.rmtree(PROGRAMS, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process run what shares fixtures: a file, or a whole folder. (Groups fail with pytest 9.2.)"""
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False  # it would put files of few tests last, however long they take

    class ByFixtures(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            folder = Path(file).parent
            return str(folder) if folder.name in SHARED else file

    return ByFixtures(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not within(item, LONGEST))
    for item in items:
        if X32 and "x64" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs double precision in JAX"))
        if not within(item, COVERING):
            item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Check types or not; leave out fixtures of tests marked `no_cover`, where pytest-cov measures them."""
    jaxtyping.config.update("jaxtyping_disable", within(item, UNTYPED))
    measured = coverage.Coverage.current() if item.get_closest_marker("no_cover") else None
    if measured is None:
        return (yield)
    measured.stop()
    try:
        return (yield)
    finally:
        measured.start()


MAPS = Path("/proc/self/maps")
MOST_MAPS = 30_000


@pytest.fixture(scope="module", autouse=True)
def forget_programs() -> Iterator[None]:
    """Let go of compiled programs before they take all memory mappings that Linux allows (65,530).

    Each takes several on a CPU; at the limit the next compilation crashes the process.
    """
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()


@pytest.fixture
def rng() -> np.random.Generator:
    """Numbers that are the same in every run."""
    return np.random.default_rng(20231005)


def read_only(x: Any) -> np.ndarray:
    """A NumPy array that refuses to be written to, so that in-place operators on arguments are noticed."""
    array = np.array(x)
    array.flags.writeable = False
    return array


@pytest.fixture(params=["numpy", "jax"])
def xp(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """What makes an array of either backend: read-only NumPy, then JAX."""
    return {"numpy": read_only, "jax": jnp.asarray}[request.param]
