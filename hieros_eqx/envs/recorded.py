"""Environments that can be brought back to where they were, though none can save its state."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from hieros_eqx.envs.history import History, Log, NotRepeatable, check_history, check_repeated
from hieros_eqx.envs.next_step import NextStepEnv
from hieros_eqx.envs.protocol import VectorEnv, check_action
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Timestep

Tell = Callable[[int, int], None]
TELL_EVERY = 1000  # steps


class Repetition(NamedTuple):
    """How environments were brought back."""

    how: Literal["resets", "actions"]  # episodes before the open one skipped by resets, or the whole log
    steps: int  # that single environments made, resets included
    seconds: float


class RecordedEnv(VectorEnv):
    """Environments with a record of all that passed through them, by which fresh ones are brought to the same point.

    `again` makes them anew, as they were when `env` was given. With it, `repeat` may try what is fast first; without
    (environments that are the caller's), it always sends the whole log.
    """

    def __init__(self, env: VectorEnv, *, again: Callable[[], VectorEnv] | None = None):
        self.spaces, self.num_envs = env.spaces, env.num_envs
        self._env, self._again = env, again
        self._log = Log(env.spaces.action, env.num_envs)

    def reset(self) -> Timestep:
        """Start all environments; `EnvError` if that was done before, for a history is of one start."""
        self._check_fresh("reset")
        timestep = self._env.reset()
        self._log.add_timestep(timestep)
        return timestep

    def send(self, action: object) -> None:
        """Begin a step. An action that is not allowed raises `EnvError` and is not recorded."""
        if self._log.known != self._log.sent + 1:
            raise EnvError("wanted `reset`, then `send` and `recv` in turns, got `send`")
        checked = check_action(action, self.spaces.action, self.num_envs)
        self._log.add_action(checked)  # first, so that an environment that raises leaves it unanswered
        self._env.send(checked)

    def recv(self) -> Timestep:
        """Finish the step begun by `send`."""
        if self._log.known != self._log.sent:
            raise EnvError("wanted `send` before `recv`, got `recv`")
        timestep = self._env.recv()
        self._log.add_timestep(timestep)
        return timestep

    def step(self, action: object) -> Timestep:
        """`send`, then `recv`."""
        self.send(action)
        return self.recv()

    def close(self) -> None:
        """Close the environments; the history stays."""
        self._env.close()

    def history(self, since: int = 0) -> History:
        """Return copies of the rows of all that passed from row `since` on."""
        return self._log.since(since)

    def repeat(self, history: History, tell: Tell | None = None) -> tuple[Timestep, Repetition]:
        """Bring fresh environments, in place of `reset`, to where `history` ends, and go on recording from there.

        Every answer is compared with the history. Returns the timestep to continue with and how it was reached;
        an action whose answer never came is sent once more. `tell` hears now and then how many steps of how many
        are done. Raises `NotRepeatable` if the environments do not do what they did, `EnvError` if they have been
        started already or the arrays do not fit each other; close them then.
        """
        self._check_fresh("repeat")
        check_history(history, self.spaces.action, self.num_envs)
        start = time.perf_counter()
        timestep, steps = repeat_actions(self._env, history, tell)
        self._log.take(history, len(history.checks))
        if len(history.actions) == len(history.checks):
            timestep = self.step(history.actions[-1])
            steps += self.num_envs
        return timestep, Repetition("actions", steps, time.perf_counter() - start)

    def _check_fresh(self, call: str) -> None:
        if self._log.known:
            raise EnvError(
                f"wanted fresh environments, got `{call}` of some that were started: make new ones"
            )


def repeat_actions(env: VectorEnv, history: History, tell: Tell | None) -> tuple[Timestep, int]:
    """Return the last timestep known to `history`, reached by a reset and all actions, and the steps made."""
    envs, last = np.arange(env.num_envs), len(history.checks) - 1
    timestep = env.reset()
    check_repeated(timestep, history, np.zeros_like(envs), envs)
    for step in range(1, last + 1):
        timestep = env.step(history.actions[step - 1])
        check_repeated(timestep, history, np.full_like(envs, step), envs)
        if tell is not None and step % TELL_EVERY == 0:
            tell(step, last)
    return timestep, (last + 1) * env.num_envs
