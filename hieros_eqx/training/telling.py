"""Who is told of what happens in a run: its files first, then sinks, the display and callbacks."""

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hieros_eqx import agent
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.training import health, log, metrics, records
from hieros_eqx.training.content import Host
from hieros_eqx.training.progress import Progress
from hieros_eqx.training.run_dir import RunDir
from hieros_eqx.training.sinks import Sinks

Callback = Callable[[HierosState, dict[str, Any]], None]
"""Called after every log line with the state and the line's record; of seeds side by side there is one state
and a line for each. The state's arrays are given to the device at the next step: copy what is to be kept. A
`KeyboardInterrupt` raised here saves and ends the run."""


class Teller:
    """Tells of episodes and metrics, and remembers the returns of this process."""

    def __init__(
        self,
        config: HierosConfig,
        run: RunDir | None,
        sinks: Sinks,
        callbacks: Sequence[Callback],
        display: Progress,
    ):
        self._run, self._sinks, self._callbacks, self._display = run, sinks, callbacks, display
        self.returns: dict[int, list[float]] = {seed: [] for seed in config.all_seeds}
        """Of the episodes that have been told of, by seed."""
        earlier = log.read(run.episodes) if run is not None else []
        self._best = records.best({}, earlier)

    def say(self, text: str) -> None:
        """Say one line to who sits there."""
        self._display.say(text)

    def step(self, env_step: int) -> None:
        """Say that a step has been taken."""
        self._display.step(env_step)

    def episodes(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Tell of the records of episodes that have ended."""
        if not lines:
            return
        for line in lines:
            self.returns[line["seed"]].append(line["return"])
            if self._run is not None:
                log.append(self._run.episodes, line)
        self._best = records.best(self._best, lines)
        self._sinks.episodes(lines)

    def metrics(self, state: HierosState, host: Host, means: metrics.Means, rate: float) -> int | None:
        """Tell of the means since the last log line; return the signal for which a callback stands, if any.

        Raises `TrainingError`, and leaves a diagnosis, if too many updates in a row were not finite.
        """
        fetched, skipped = metrics.fetch((means, health.skipped_in_row(state)))
        own = metrics.averages(fetched, agent.num_seeds(state) or 1)
        lines = records.metrics_records(state.config, host.counters, rate, own)
        if self._run is not None:
            for line in lines:
                log.append(self._run.metrics, line)
        self._sinks.metrics(lines)
        self._display.note(records.highlights(lines, host.recent, self._best))
        stop = self._call(state, lines)
        self._check_health(state, skipped, lines)
        return stop

    def checkpoint(self, state: HierosState, env_step: int) -> None:
        """Say that the run has been saved at this step: the time for pictures."""
        self._sinks.checkpoint(state, env_step)

    def _check_health(self, state: HierosState, skipped: Any, lines: Sequence[dict[str, Any]]) -> None:
        sick = health.too_many(skipped, state.config)
        if not sick:
            return
        if self._run is not None:
            log.write_json(self._run.path / health.FILE, health.diagnose(state, lines))
        path = None if self._run is None else self._run.path
        raise health.failure(sick, state.config, lines[0]["env_step"], path)

    def _call(self, state: HierosState, lines: Sequence[dict[str, Any]]) -> int | None:
        """Call all callbacks; return the signal for which one of them, or Ctrl-C meanwhile, stands."""
        try:
            for line in lines:
                for callback in self._callbacks:
                    callback(state, line)
        except KeyboardInterrupt:
            return signal.SIGINT
        return None
