# %% [markdown]
# # Your own environment
#
# An agent is trained on a Gymnasium environment that is written right here, looked at, and played.
# This page is a notebook: it is executed when the documentation is built, and every cell below it shows what came out.

# %%
import gymnasium
import numpy as np


class Corridor(gymnasium.Env):
    """Walk to the right end of five cells."""

    observation_space = gymnasium.spaces.Box(0.0, 1.0, (5,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cell, self.time = 0, 0
        return self._seen(), {}

    def step(self, action):
        self.cell = min(4, max(0, self.cell + (1 if action else -1)))
        self.time += 1
        done = self.cell == 4
        return self._seen(), float(done) - 0.02, done, self.time >= 30, {}

    def _seen(self):
        return np.eye(5, dtype=np.float32)[self.cell]


# %% [markdown]
# A configuration is a preset and what differs from it. The preset `debug` is tiny; here it gets one level, a few more steps, and rates that suit so small a network.
# With few numbers in an observation, free nats are set to zero (why: the page on learning).

# %%
import hieros_eqx
from hieros_eqx.config import override

config = override(
    hieros_eqx.make_preset("debug"),
    [
        "levels=1",
        "training.env_steps=1500",
        "training.train_every=2",
        "training.batch=8",
        "optimizer.world_model_rate=1e-3",
        "optimizer.actor_critic_rate=1e-3",
        "world_model.free_nats=0",
    ],
)

# %% [markdown]
# `train` takes the environment's class (or any function that makes one). The directory holds everything; called again, it would go on from there.

# %%
import tempfile
from pathlib import Path

run = Path(tempfile.mkdtemp()) / "corridor"
result = hieros_eqx.train(config, Corridor, run_dir=run, progress=False)
print(
    f"first ten episodes: {np.mean(result.returns[:10]):.2f}, last ten: {np.mean(result.returns[-10:]):.2f}"
)

# %% [markdown]
# The returns over the run, as the agent met them while it learned. The best possible is 0.92: 1 at the end, less 0.02 for each of four steps.

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.plot(result.returns, ".", markersize=4)
axes.axhline(0.92, linewidth=0.8, color="grey")
axes.set(xlabel="episode", ylabel="return")
plt.show()

# %% [markdown]
# A trained agent is loaded from its directory and plays, here with NumPy instead of JAX: the same functions, no compiler.

# %%
agent = hieros_eqx.load(run)
played = hieros_eqx.evaluate(agent, Corridor, episodes=10, backend="numpy")
print(f"mean return {played.mean:.2f} of ten episodes, lengths {list(played.lengths)}")
