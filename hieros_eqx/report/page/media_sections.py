"""The page's sections for which the newest agent plays anew: what it foresees, and what its levels want."""

import jax

from hieros_eqx.errors import CheckpointError, ConfigError, EnvError
from hieros_eqx.report.page.dreams import dream
from hieros_eqx.report.page.layout import Group, Section
from hieros_eqx.report.page.media_figures import open_loop_figures, reward_group, wanted_figures
from hieros_eqx.report.page.run_data import RunData
from hieros_eqx.report.watch.subgoals import watch
from hieros_eqx.training import Agent, load
from hieros_eqx.training.environment import open_env

WATCHED, WATCH_SEED = 240, 2  # steps of the episode that is watched, and the seed of its environment
OPEN_LOOP, WANTS = ("foresees", "What the model foresees"), ("wants", "What the hierarchy wants")


def media_sections(run: RunData) -> list[Section]:
    """Return both sections; where there is no agent, or it cannot play, they say why."""
    seed = run.config.all_seeds[0]
    try:
        agent = load(run.path, seed=seed)
    except CheckpointError as error:
        return [Section(*OPEN_LOOP, note=f"No agent to ask. {error}")]
    told = f" The agent of seed {seed}." if len(run.config.all_seeds) > 1 else ""
    return [open_loop_section(agent, told), wants_section(agent, told)]


def open_loop_section(agent: Agent, told: str = "") -> Section:
    """Return what the worker's world model predicts from a few starts, beside what came."""
    try:
        seen = dream(agent)
    except (EnvError, ConfigError, ValueError) as error:
        return Section(*OPEN_LOOP, note=f"Nothing to show: {error}")
    text = (
        "Episodes played anew. From each start the world model runs on with the actions that were taken and "
        f"sees nothing more.{told}"
    )
    return Section(*OPEN_LOOP, text, [Group(open_loop_figures(seen))])


def wants_section(agent: Agent, told: str = "") -> Section:
    """Return an episode beside the decoded subgoal of each level, and what the levels are rewarded with."""
    try:
        env = open_env(agent.config, None, num_envs=1, seed=WATCH_SEED, training=False)
        try:
            episode = watch(agent, env, jax.random.key(WATCH_SEED), WATCHED)
        finally:
            env.close()
    except (EnvError, ConfigError) as error:
        return Section(*WANTS, note=f"Nothing to show: {error}")
    text = (
        "An episode played anew, beside what each level asks for: its code, decoded level by level down to "
        f"what the worker would see.{told}"
    )
    if episode.levels == 1:
        text = (
            f"One level: nobody asks for anything. What it is rewarded with in an episode played anew.{told}"
        )
    groups = [Group(wanted_figures(episode)) if episode.levels > 1 else None, reward_group(episode)]
    return Section(*WANTS, text, [group for group in groups if group is not None])
