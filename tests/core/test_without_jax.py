"""The functional core must work where neither JAX nor Equinox is installed."""

import subprocess
import sys

PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"jax", "jaxlib", "equinox", "optax"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

import numpy as np
import hieros_eqx.types
from hieros_eqx import backend
from hieros_eqx.core import (
    alignment, categorical, etbs, hippo, kl_balance, likelihood, macro, nn, normalise, returns, rewards, ssm,
    transforms,
)

rng = np.random.default_rng(0)
assert backend.namespace(rng.normal(size=3), 1.0, None) is np
assert not backend.is_jax(np.zeros(3))

eigenvalues, vectors = hippo.hippo_legs_blocks(8, 2)
a_bar, b_bar = ssm.discretize(eigenvalues, vectors[:, :3], np.full(8, 0.01))
u = rng.normal(size=(6, 2, 3))
states = ssm.scan(a_bar, u @ b_bar.T, rng.random((6, 2)) < 0.3, np.zeros((2, 8), complex))
assert states.shape == (6, 2, 8)

x = rng.normal(size=(6, 2, 4))
assert nn.gelu(x).shape == x.shape
bins = transforms.symexp_bins(255)
np.testing.assert_allclose(transforms.from_two_hot(transforms.two_hot(x, bins), bins), x)
keys = backend.random.split(backend.random.key(0, "numpy"), 2)
sample = categorical.sample(x, backend.random.gumbel(keys[0], x.shape, np.float64))
assert (sample.sum(-1) == 1).all()
kl_balance.kl_losses(x, sample)
likelihood.symlog_squared_error(x, sample)
returns.lambda_return(x, x, nn.sigmoid(x), x[0], 0.95)
rewards.subgoal_reward(x, sample)
alignment.previous_action(x, np.zeros((6, 2), bool))
assert etbs.index(rng.random(9), 5, 0.3).max() < 5
slow = normalise.ema({"a": [x, None], "b": (x,)}, {"a": [x, None], "b": (x,)}, 0.02)
window = macro.window_push(macro.window_fill(hieros_eqx.types.Window(x, x), 3), hieros_eqx.types.Window(x, x))
assert window.stoch.shape == (6, 3, 2, 4)
assert backend.to_numpy(window, np.float32).deter.dtype == np.float32
image = rng.normal(size=(2, 8, 8, 3))
assert backend.conv2d(image, rng.normal(size=(4, 4, 3, 5)), stride=2).shape == (2, 4, 4, 5)
carry, ys = backend.scan(lambda c, x: (c + x["v"], {"s": c}), 0.0, {"v": np.arange(4.0)})
assert carry == 6.0 and ys["s"].tolist() == [0, 0, 1, 3]
try:
    backend.to_jax(x)
except ImportError:
    pass
else:
    raise AssertionError("to_jax worked without JAX")
assert not [name for name in sys.modules if name.partition(".")[0] in {"jax", "equinox"}]
print("done")
"""


def test_core_runs_on_numpy_alone():
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"
