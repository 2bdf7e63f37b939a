"""The number of CPU devices is fixed once JAX has started: so this needs a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("train_on_devices.py")


def test_a_run_of_seeds_on_two_devices(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIEROS_EQX_")}
    environment |= {
        "HIEROS_EQX_COMPILATION_CACHE": "off",
        "JAX_NUM_CPU_DEVICES": "2",
        "JAX_PLATFORMS": "cpu",
    }
    result = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
