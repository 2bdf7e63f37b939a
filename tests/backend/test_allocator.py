import platform
import subprocess
import sys

import pytest

HELD = """
import os
from hieros_eqx.backend.allocator import keep_freed_memory

for name in list(os.environ):
    if name.startswith(("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")):
        del os.environ[name]
os.environ.update({environment})
done = keep_freed_memory()
import numpy as np

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

buffer = np.ones(64 << 20, np.uint8)
with_buffer = resident()
del buffer
print(done, with_buffer - resident() < 8 << 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, ["True", "True"]), ({"MALLOC_ARENA_MAX": "4"}, ["False", "False"])],
    ids=["kept", "the user's choice stands"],
)
def test_freed_memory_stays_with_the_process(environment, expected):
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("needs glibc")
    script = HELD.format(environment=environment)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == expected
