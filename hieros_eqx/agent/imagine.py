"""Imagination: from posterior latents, the actor and the prior roll out H states, without gradient."""

from typing import Any

from jaxtyping import Float

from hieros_eqx.agent.features import Features, read
from hieros_eqx.agent.state import LevelParams
from hieros_eqx.agent.subgoal import subgoal_input
from hieros_eqx.backend import namespace, random, scan, stop_gradient
from hieros_eqx.config import BehaviourConfig
from hieros_eqx.types import Array, Latent, Rollout


def imagine(
    level: LevelParams,
    start: Latent,
    code: Float[Array, "start factors classes"],
    key: Any,
    config: BehaviourConfig,
) -> Rollout:
    """Roll out `config.horizon` states from each start; the subgoal code stays the stored one.

    REINFORCE asks for no gradient through the dynamics: parameters and starts are cut off here, so that
    nothing is kept for back-propagation through time. The key is consumed.
    """
    level, start = stop_gradient(level), stop_gradient(start)
    world_model, actor = level.world_model, level.actor
    prepared = world_model.prepare()
    subgoal = subgoal_input(level.autoencoder, code, config)
    batch_shape = start.deter.shape[:-1]

    def body(latent: Latent, step_key: Any) -> tuple[Latent, Any]:
        act_key, dream_key = random.split(step_key, 2)
        seen = read(level, latent, subgoal)
        action = actor.sample(
            actor(seen.policy_input), actor.draw_noise(act_key, batch_shape, start.deter.dtype)
        )
        gumbel = random.gumbel(dream_key, latent.stoch.shape, latent.stoch.dtype)
        following = world_model.imagine_step(prepared, latent, action, gumbel)
        return following, (latent.deter, seen, action)

    last, (deter, seen, action) = scan(body, start, random.split(key, config.horizon - 1))
    xp = namespace(deter)
    seen = Features(
        *(xp.concatenate([s, final[None]]) for s, final in zip(seen, read(level, last, subgoal), strict=True))
    )
    deter = xp.concatenate([deter, last.deter[None]])
    return Rollout(deter=deter, action=action, **seen._asdict())
