"""`hieros-eqx doctor`: what is installed, what the machine has, and what is missing."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import click

from .main import installed_version

REQUIRED = (
    "numpy",
    "jax",
    "jaxlib",
    "equinox",
    "optax",
    "orbax-checkpoint",
    "envpool",
    "click",
    "rich",
    "tensorboardX",
)
OPTIONAL = {"ale-py": "ale", "gymnasium": "ale", "matplotlib": "report"}  # distribution -> extra
ENVIRONMENTS = {"envpool": "envpool", "ale": "ale_py", "gymnasium": "gymnasium"}  # backend -> import name
GIB = 2**30


@click.command("doctor")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show versions, devices, memory and environments, and what is missing. Exit code 1 if it cannot run."""
    missing = []
    click.echo(f"hieros-eqx {installed_version()}, Python {platform.python_version()}, {platform.platform()}")
    for name in REQUIRED:
        found = _version(name)
        click.echo(f"  {name:<18}{found or 'MISSING'}")
        if found is None:
            missing.append(f"{name} is required; install it with: pip install hieros-eqx")
    for name, extra in OPTIONAL.items():
        found = _version(name)
        click.echo(f"  {name:<18}{found or 'not installed'}")
        if found is None:
            click.echo(f"{'':<20}optional; install it with: pip install 'hieros-eqx[{extra}]'")
    click.echo("machine")
    for line in (*_machine(), *_devices()):
        click.echo(f"  {line}")
    click.echo("environments")
    for backend, module in ENVIRONMENTS.items():
        click.echo(f"  {backend:<18}{'found' if find_spec(module) else 'not installed'}")
    if not any(find_spec(module) for module in ENVIRONMENTS.values()):
        missing.append("no library of environments; install one with: pip install envpool")
    for line in missing:
        click.echo(f"missing: {line}")
    click.echo("nothing is missing" if not missing else "training cannot run yet")
    ctx.exit(1 if missing else 0)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _machine() -> Iterator[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield f"{cores} CPU cores"
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" in names:
        yield f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / GIB:.1f} GiB memory"
    yield f"{shutil.disk_usage('.').free / GIB:.1f} GiB free on this disk"


def _devices() -> Iterator[str]:
    if find_spec("jax") is None:
        return
    import jax

    try:
        devices = jax.devices()
    except RuntimeError as error:
        yield f"JAX finds no device: {error}"
        return
    for device in devices:
        stats = device.memory_stats() or {}
        memory = f", {stats['bytes_limit'] / GIB:.1f} GiB" if "bytes_limit" in stats else ""
        yield f"JAX device {device.id}: {device.platform} {device.device_kind}{memory}"
    if jax.default_backend() == "cpu" and sys.platform == "linux" and shutil.which("nvidia-smi"):
        yield "an NVIDIA GPU seems present but JAX does not see it: pip install 'hieros-eqx[cuda]'"
