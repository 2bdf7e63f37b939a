"""Environments that can be brought back to where they were, though none can save its state."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from hieros_eqx.envs.history import (
    History,
    Log,
    NotRepeatable,
    check_history,
    check_repeated,
    timestep_checks,
)
from hieros_eqx.envs.next_step import NextStepEnv
from hieros_eqx.envs.protocol import VectorEnv, check_action
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Timestep

How = Literal["resets", "actions"]
Tell = Callable[[int, int], None]
TELL_EVERY = 1000  # steps


class Repetition(NamedTuple):
    """How environments were brought back."""

    how: How  # resets in place of the episodes before the open ones, or all actions
    steps: int  # that single environments made, resets included
    seconds: float


class RecordedEnv(VectorEnv):
    """Environments with a record of all that passed, by which fresh ones are brought to the same point.

    `again` makes such as `env` was when given. With it, `repeat` tries what is fast first; without (for
    environments that are the caller's) it always sends the whole log.
    """

    def __init__(self, env: VectorEnv, *, again: Callable[[], VectorEnv] | None = None):
        self.spaces, self.num_envs = env.spaces, env.num_envs
        self._env, self._again = env, again
        self._log = Log(env.spaces.action, env.num_envs)
        self._started = False

    def reset(self) -> Timestep:
        """Start all environments; `EnvError` if that was tried before, for a history is of one start."""
        self._start("reset")
        timestep = self._env.reset()
        self._log.add_timestep(timestep, _checks(self._env, timestep))
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
        self._log.add_timestep(timestep, _checks(self._env, timestep))
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
        """Bring fresh environments, in place of `reset`, to where `history` ends, and record from there on.

        Every answer on the way is compared with the history. Returns the timestep to continue with, and how
        it was reached. An action whose answer never came is sent once more. `tell` hears now and then how
        many steps of how many are done.

        Raises `NotRepeatable` if the environments do not do what they did, and `EnvError` if they have been
        started before, or if the history is none; the environments can then only be closed.
        """
        check_history(history, self.spaces.action, self.num_envs)
        self._start("repeat")
        begin = time.perf_counter()
        how, timestep, steps = self._known_point(history, tell)
        self._log.take(history, len(history.checks))
        if len(history.actions) == len(history.checks):
            timestep = self.step(history.actions[-1])
            steps += self.num_envs
        return timestep, Repetition(how, steps, time.perf_counter() - begin)

    def _known_point(self, history: History, tell: Tell | None) -> tuple[How, Timestep, int]:
        """How the last timestep of the history was reached, that timestep, and the steps made for it."""
        if self._again is not None and isinstance(self._env, NextStepEnv) and self._env.can_skip:
            try:
                return "resets", *repeat_by_resets(self._env, history, tell)
            except NotRepeatable:  # started, they cannot be used for the other way
                self._env.close()
                self._env = self._again()
        return "actions", *repeat_by_actions(self._env, history, tell)

    def _start(self, call: str) -> None:
        if self._started:
            raise EnvError(f"wanted fresh environments, got `{call}` after they were started: make new ones")
        self._started = True


def repeat_by_actions(env: VectorEnv, history: History, tell: Tell | None = None) -> tuple[Timestep, int]:
    """Return the last timestep known to `history`, reached by all actions, and the number of steps made.

    Raises `NotRepeatable` at the first answer that is another.
    """
    envs, total = np.arange(env.num_envs), len(history.checks) - 1
    timestep = env.reset()
    check_repeated(timestep, _checks(env, timestep), history, steps=np.zeros_like(envs), envs=envs)
    for step in range(1, total + 1):
        timestep = env.step(history.actions[step - 1])
        checks = _checks(env, timestep)
        check_repeated(timestep, checks, history, steps=np.full_like(envs, step), envs=envs)
        if tell is not None and step % TELL_EVERY == 0:
            tell(step, total)
    return timestep, (total + 1) * env.num_envs


def repeat_by_resets(env: NextStepEnv, history: History, tell: Tell | None = None) -> tuple[Timestep, int]:
    """Return what `repeat_by_actions` does; episodes before the open ones are left out by resets.

    Every environment has its own number of resets, and its own number of actions afterwards.
    """
    known = len(history.checks)
    starts = [np.flatnonzero(column) for column in history.first.T]
    open_from = np.array([start[-1] for start in starts])
    resets, actions = max(map(len, starts)), int(known - 1 - open_from.min())
    total = resets + actions
    timestep = env.reset()
    envs = np.arange(env.num_envs)
    check_repeated(timestep, _checks(env, timestep), history, steps=np.zeros_like(envs), envs=envs)
    latest, steps = Timestep(*(field.copy() for field in timestep)), env.num_envs
    for done in range(1, total):
        if done < resets:
            envs = np.array([i for i, start in enumerate(starts) if done < len(start)])
            at = np.array([starts[i][done] for i in envs])
            part = env.reset_some(envs)
        else:
            past = done - resets + 1  # steps since the first of the open episodes
            envs = np.flatnonzero(open_from + past < known)
            at = open_from[envs] + past
            part = env.step_some(envs, history.actions[at - 1, envs])
        check_repeated(part, _checks(env, part), history, steps=at, envs=envs)
        for whole, field in zip(latest, part, strict=True):
            whole[envs] = field
        steps += len(envs)
        if tell is not None and done % TELL_EVERY == 0:
            tell(done, total)
    return latest, steps


def _checks(env: VectorEnv, timestep: Timestep) -> np.ndarray:
    """Of what `env` has just given."""
    return timestep_checks(timestep, env.hidden if isinstance(env, NextStepEnv) else None)
