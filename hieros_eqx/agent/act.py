"""Acting: observe from the bottom up, act from the top down, once for every environment step.

Every environment has its own clock. Level i observes where `clock % k**i == 0` or the episode ends, and acts
where it observed and the episode goes on; where no environment is due, a level is skipped.
"""

from typing import Any

from jaxtyping import Bool, Float, Int

from hieros_eqx.agent.features import read
from hieros_eqx.agent.levels import level_params
from hieros_eqx.agent.state import ActCarry, AgentParams, LevelCarry
from hieros_eqx.agent.subgoal import received_code, subgoal_input
from hieros_eqx.backend import cond, namespace, random
from hieros_eqx.config import HierosConfig
from hieros_eqx.core.macro import due as is_due
from hieros_eqx.core.macro import where_env, window_fill, window_push
from hieros_eqx.types import Array, Latent, Spaces, Timestep, Transition, Window


def init_carry(params: AgentParams, num_envs: int) -> ActCarry:
    """Return the carry before the first step of `num_envs` environments, in the backend of the parameters."""
    config = params.config
    levels = []
    for level in range(config.levels):
        own = level_params(params, level)
        latent = own.world_model.initial((num_envs,))
        xp = namespace(latent.deter)
        dtype = latent.deter.dtype
        below = own.world_model.initial((num_envs, config.window))
        levels.append(
            LevelCarry(
                latent=latent,
                action=xp.zeros((num_envs, own.actor.action_size), dtype),
                made=xp.zeros((num_envs,), xp.int32),
                window=None if level == 0 else Window(below.stoch, below.deter),
                reward=xp.zeros((num_envs,), dtype),
            )
        )
    return ActCarry(clock=xp.zeros((num_envs,), xp.int32), levels=tuple(levels))


def policy(
    params: AgentParams,
    carry: ActCarry,
    timestep: Timestep,
    key: Any,
    *,
    greedy: bool = False,
    epsilon: float | Float[Array, ""] | None = None,
) -> tuple[ActCarry, Array, tuple[Transition, ...], tuple[Array, ...]]:
    """Take in one step of every environment and choose the next actions.

    Returns the new carry, the environments' actions (int32 `[env]`, or float `[env size]` in [-1, 1]), one
    replay entry per level, and per level a mask of the environments in which that entry was made. Needs
    neither replay nor optimisers. `greedy` takes the mode of every actor instead of a sample; with
    probability `epsilon` the worker's action is drawn uniformly (None: no numbers are drawn for that). The
    key is consumed.
    """
    config = params.config
    keys = random.split(key, 2 * config.levels + (0 if epsilon is None else 2))
    carry, due = _observe_up(params, carry, timestep, keys[: config.levels])
    held, codes = _act_down(params, carry, timestep, due, keys[config.levels : 2 * config.levels], greedy)
    if epsilon is not None:
        held[0] = _explore(params, held[0], ~timestep.is_last, keys[2 * config.levels :], epsilon)
    transitions = tuple(
        _transition(config, level, carry, timestep, held[level], codes[level])
        for level in range(config.levels)
    )
    levels = tuple(
        c._replace(action=held[i], reward=where_env(due[i], 0 * c.reward, c.reward))
        for i, c in enumerate(carry.levels)
    )
    return carry._replace(levels=levels), _to_env(held[0], params.spaces), transitions, due


def _observe_up(
    params: AgentParams, carry: ActCarry, timestep: Timestep, keys: Any
) -> tuple[ActCarry, tuple[Bool[Array, " env"], ...]]:
    """Update the latents of all levels that are due, the worker first."""
    xp = namespace(carry.clock)
    config = params.config
    clock = xp.where(timestep.is_first, 0 * carry.clock, carry.clock + 1)
    levels: list[LevelCarry] = []
    masks: list[Bool[Array, " env"]] = []
    for level, old in enumerate(carry.levels):
        if level == 0:
            due = xp.ones_like(timestep.is_first)
            window, observation = None, timestep.observation
        else:
            due = is_due(clock, config.period(level)) | timestep.is_last
            assert old.window is not None
            window = observation = _advance_window(
                old.window, levels[-1].latent, masks[-1], timestep.is_first
            )
        latent = _observe_level(params, level, old, observation, timestep.is_first, due, keys[level])
        levels.append(
            LevelCarry(
                latent=latent,
                action=old.action,
                made=xp.where(timestep.is_first, 0 * old.made, old.made + due.astype(old.made.dtype)),
                window=window,
                reward=where_env(timestep.is_first, 0 * old.reward, old.reward)
                + timestep.reward.astype(old.reward.dtype),
            )
        )
        masks.append(due)
    return ActCarry(clock=clock, levels=tuple(levels)), tuple(masks)


def _advance_window(
    window: Window, latent: Latent, made: Bool[Array, " env"], is_first: Bool[Array, " env"]
) -> Window:
    """Push the latent below where an entry was made; fill the window with it where an episode begins."""
    newest = Window(latent.stoch, latent.deter)
    pushed = where_env(made, window_push(window, newest), window)
    return where_env(is_first, window_fill(newest, window.deter.shape[1]), pushed)


def _observe_level(
    params: AgentParams,
    level: int,
    old: LevelCarry,
    observation: Any,
    is_first: Bool[Array, " env"],
    due: Bool[Array, " env"],
    key: Any,
) -> Latent:
    def observe(_: Latent) -> Latent:
        world_model = level_params(params, level).world_model
        gumbel = random.gumbel(key, old.latent.stoch.shape, old.latent.stoch.dtype)
        observed = world_model.observe_step(
            world_model.prepare(), observation, old.action, is_first, old.latent, gumbel
        )
        return where_env(due, observed.latent, old.latent)

    return observe(old.latent) if level == 0 else cond(due.any(), observe, lambda x: x, old.latent)


def _act_down(
    params: AgentParams,
    carry: ActCarry,
    timestep: Timestep,
    due: tuple[Bool[Array, " env"], ...],
    keys: Any,
    greedy: bool,
) -> tuple[list[Array], list[Array]]:
    """Return per level the action held from now on, and the code received from above."""
    config = params.config
    held: list[Any] = [own.action for own in carry.levels]
    codes: list[Any] = [None] * config.levels
    for level in reversed(range(config.levels)):
        codes[level] = received_code(held, level, config.subgoal)
        kept = where_env(timestep.is_first, 0 * held[level], held[level])
        acting = due[level] & ~timestep.is_last

        def choose(kept, level=level, code=codes[level], acting=acting):
            own = level_params(params, level)
            subgoal = subgoal_input(own.autoencoder, code, config.behaviour)
            distribution = own.actor(read(own, carry.levels[level].latent, subgoal).policy_input)
            if greedy:
                action = own.actor.mode(distribution)
            else:
                action = own.actor.sample(
                    distribution, own.actor.draw_noise(keys[level], acting.shape, kept.dtype)
                )
            return where_env(acting, action.astype(kept.dtype), kept)

        held[level] = choose(kept) if level == 0 else cond(acting.any(), choose, lambda x: x, kept)
    return held, codes


def _explore(
    params: AgentParams,
    action: Float[Array, "env action"],
    acting: Bool[Array, " env"],
    keys: Any,
    epsilon: float | Float[Array, ""],
) -> Float[Array, "env action"]:
    """Return the worker's actions, each with probability `epsilon` replaced by one drawn uniformly."""
    explores = acting & (random.uniform(keys[0], acting.shape, action.dtype) < epsilon)
    return where_env(explores, params.worker.actor.draw_uniform(keys[1], acting.shape, action.dtype), action)


def _transition(
    config: HierosConfig, level: int, carry: ActCarry, timestep: Timestep, action: Array, code: Array
) -> Transition:
    """Return the entry of one level, to be kept where the level is due.

    A step with any flag set makes an entry on every level, so the OR of the flags since a level's last entry
    is the flag of the step itself.
    """
    own = carry.levels[level]
    steps = config.period(level) if config.reward.macro_step == "mean" else 1
    return Transition(
        observation=timestep.observation
        if level == 0
        else window_ages(carry.levels[level - 1].made, config.window),
        action=where_env(timestep.is_last, 0 * action, action),
        code=code,
        reward=own.reward / steps,
        is_first=timestep.is_first,
        is_last=timestep.is_last,
        is_terminal=timestep.is_terminal,
        latent=own.latent,
    )


def _to_env(action: Float[Array, "env action"], spaces: Spaces) -> Array:
    """Return the worker's action as the environments take it."""
    if spaces.action.kind == "discrete":
        xp = namespace(action)
        return action.argmax(axis=-1).astype(xp.int32)
    return action


def window_ages(made: Int[Array, " env"], window: int) -> Int[Array, "env window"]:
    """Return how many entries of the level below ago each latent of a window was made, oldest first.

    `made` is the number of the newest entry in its episode: the window never reaches behind the first.
    """
    xp = namespace(made)
    full = xp.arange(window - 1, -1, -1, dtype=made.dtype)
    return xp.minimum(full[None], made[:, None])
