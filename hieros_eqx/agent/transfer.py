"""A fresh state that begins with what other agents have learned."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

from hieros_eqx.agent.act import init_carry
from hieros_eqx.agent.levels import stack
from hieros_eqx.agent.seeds import num_seeds
from hieros_eqx.agent.state import AgentParams, HierosState


def with_params(state: HierosState, params: Sequence[AgentParams]) -> HierosState:
    """Return a fresh `state` with the parameters of trained agents, one for each of its seeds.

    Slow critics begin as copies of the critics; optimisers, replay, keys and counters stay fresh. The agents
    may come from another configuration if their parameters are of the same names, shapes and dtypes; raises
    `ValueError` with the first that is not.
    """
    seeds = num_seeds(state)
    if len(params) != (seeds or 1):
        raise ValueError(f"wanted one agent for each of {seeds or 1} seeds, got {len(params)}.")
    learned = [_learned(own) for own in params]
    joined = learned[0] if seeds is None else stack(learned)
    wanted = (
        _without_config(state.params),
        state.learner.worker.slow_critics,
        None if state.learner.upper is None else state.learner.upper.slow_critics,
    )
    _check(joined, wanted)
    levels, slow, slow_upper = jax.tree.map(_like, joined, wanted)
    worker, upper = levels
    learner = state.learner
    learner = replace(
        learner,
        worker=replace(learner.worker, slow_critics=slow),
        upper=None if learner.upper is None else replace(learner.upper, slow_critics=slow_upper),
    )
    new = AgentParams(worker, upper, state.config, state.spaces)
    begin = lambda own: init_carry(own, state.config.env.num_envs)  # noqa: E731
    carry = (begin if seeds is None else jax.vmap(begin))(new)
    return replace(state, params=new, learner=learner, carry=jax.tree.map(_like, carry, state.carry))


def _learned(params: AgentParams) -> tuple[Any, Any, Any]:
    """Return the levels of one agent and what their slow critics begin with."""
    upper = stack([level.critics for level in params.upper]) if params.upper else None
    return _without_config(params), params.worker.critics, upper


def _without_config(params: AgentParams) -> tuple[Any, Any]:
    return params.worker, params.upper


def _check(got: Any, wanted: Any) -> None:
    found, fresh = (
        {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
        for leaves in (jax.tree_util.tree_leaves_with_path(tree) for tree in (got, wanted))
    )
    for name in sorted({*found, *fresh}):
        a, b = (_describe(tree.get(name)) for tree in (fresh, found))
        if a != b:
            raise ValueError(f"{name.partition('/')[2]}: wanted {a}, got {b}.")
    if jax.tree.structure(got) != jax.tree.structure(wanted):
        raise ValueError("wanted agents with the same settings of their modules, got others.")


def _describe(leaf: Any) -> str:
    return "none" if leaf is None else f"{leaf.dtype}{list(leaf.shape)}"


def _like(new: Any, old: jax.Array) -> jax.Array:
    """Return a copy of `new` (no two leaves of a state may share a buffer) that lies where `old` does."""
    copy = jnp.array(new, old.dtype, copy=True)
    return jax.device_put(copy, old.sharding) if isinstance(old.sharding, NamedSharding) else copy
