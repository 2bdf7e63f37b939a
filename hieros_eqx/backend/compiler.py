"""Options of XLA and JAX for GPUs, where an agent's programs are many small kernels that are dear to compile.

An update is a thousand kernels, each too short for a better one to be noticed. By default XLA tries hundreds
of tilings for every fusion around a softmax and compiles most kernels in several ways, and JAX unrolls every
random number. On an H100, fresh parameters, acting and an update of level 0 at paper size were then not ready
after four minutes; with these options they take 95 s of one core, most of which XLA divides among all
(decision 016).
"""

import os
from importlib.metadata import PackageNotFoundError, version

XLA_FLAGS = (
    "--xla_disable_hlo_passes=triton-softmax-rewriter",
    "--xla_gpu_enable_triton_gemm=false",
    "--xla_gpu_experimental_enable_fusion_autotuner=false",
)
CUDA_PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin")
KNOWN_TO = ((0, 10), (0, 11))  # an XLA that does not know a flag ends the process


def compile_quickly_for_gpu() -> bool:
    """Let XLA compile for a GPU in a fraction of the time; return whether it was asked to.

    Works only before JAX makes its first array. It concerns the whole process: the command line calls it, the
    library never does. Nothing is done without JAX's plugin for CUDA, by versions of JAX that were not tried,
    or to a flag that `XLA_FLAGS` already names.
    """
    if not any(_version_of(plugin) for plugin in CUDA_PLUGINS) or _version_of("jax") not in KNOWN_TO:
        return False
    chosen = os.environ.get("XLA_FLAGS", "")
    flags = [flag for flag in XLA_FLAGS if flag.partition("=")[0] not in chosen]
    os.environ["XLA_FLAGS"] = " ".join([*chosen.split(), *flags])
    import jax

    if "JAX_THREEFRY_GPU_KERNEL_LOWERING" not in os.environ:
        jax.config.update("jax_threefry_gpu_kernel_lowering", True)
    return True


def _version_of(package: str) -> tuple[int, ...]:
    """Return the first two numbers of a version; nothing where the package is not installed."""
    try:
        return tuple(int(number) for number in version(package).split(".")[:2])
    except PackageNotFoundError:
        return ()
