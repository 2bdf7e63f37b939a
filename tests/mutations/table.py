"""Faults that a reader could make, each a change of one place, and the tests that must notice."""

from typing import NamedTuple


class Mutation(NamedTuple):
    """One fault: in `file`, the one place that reads `old` becomes `new`; one of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = (
    Mutation(
        "axis swap: imaginary parts of the SSM states taken for the real ones",
        "modules/s5wm.py",
        "return pairs[..., 0, :]",
        "return pairs[..., 1, :]",
        "tests/modules",
    ),
    Mutation(
        "axis swap: codes flattened batch first, latents time first",
        "agent/learn.py",
        "(latent, batch.code, batch.is_terminal)",
        "(latent, batch.code.swapaxes(0, 1), batch.is_terminal)",
        "tests/agent/test_update.py::test_every_posterior_state_is_a_start_with_its_own_code",
    ),
    Mutation(
        "dropped reset: the S5 state runs on into the next episode",
        "core/ssm.py",
        "a = xp.where(reset[..., None], xp.zeros_like(decay), decay)",
        "a = decay",
        "tests/core/test_ssm.py",
    ),
    Mutation(
        "action shifted by one: the world model sees the action chosen at the same step",
        "core/alignment.py",
        "shifted = xp.concatenate([start, action[:-1]])",
        "shifted = xp.concatenate([action[:1] + 0 * start, action[1:]])",
        "tests/core/test_sequences.py",
    ),
    Mutation(
        "missing stop-gradient: critics move their own targets",
        "modules/heads.py",
        "stop_gradient(self.bins.encode(target))",
        "self.bins.encode(target)",
        "tests/agent/test_behaviour.py",
    ),
    Mutation(
        "missing stop-gradient: imagination back-propagates into the world model",
        "agent/imagine.py",
        "level, start = stop_gradient(level), stop_gradient(start)",
        "level, start = level, start",
        "tests/agent/test_behaviour.py::test_no_gradient_goes_through_imagination",
    ),
    Mutation(
        "flags of the wrong step: an episode's end makes no entry above level 0",
        "agent/act.py",
        "due = is_due(clock, config.period(level)) | timestep.is_last",
        "due = is_due(clock, config.period(level))",
        "tests/agent/test_act.py",
    ),
    Mutation(
        "flags of the wrong step: a truncated start counts as dead",
        "agent/learn.py",
        "(latent, batch.code, batch.is_terminal)",
        "(latent, batch.code, batch.is_last)",
        "tests/agent/test_update.py::test_every_posterior_state_is_a_start_with_its_own_code",
    ),
    Mutation(
        "reward sum not cleared after an entry",
        "agent/act.py",
        "reward=where_env(due[i], 0 * c.reward, c.reward)",
        "reward=c.reward",
        "tests/agent/test_act.py",
    ),
    Mutation(
        "clocks run on over an episode's end",
        "agent/act.py",
        "clock = xp.where(timestep.is_first, 0 * carry.clock, carry.clock + 1)",
        "clock = carry.clock + 1",
        "tests/agent/test_act.py",
    ),
    Mutation(
        "subgoal not held between macro-steps",
        "agent/act.py",
        "return where_env(acting, action.astype(kept.dtype), kept)",
        "return action.astype(kept.dtype)",
        "tests/agent/test_act.py",
    ),
    Mutation(
        "window pointers one entry late",
        "replay/append.py",
        "count[:, None] - 1 - transition",
        "count[:, None] - 2 - transition",
        "tests/replay",
    ),
    Mutation(
        "KL balance with the gradients exchanged",
        "core/kl_balance.py",
        "kl(stop_gradient(posterior_logits), prior_logits)",
        "kl(posterior_logits, stop_gradient(prior_logits))",
        "tests/core/test_categorical.py tests/golden",
    ),
    Mutation(
        "lambda-return bootstraps from the value of the same step",
        "core/returns.py",
        "next_value = xp.concatenate([value[1:], bootstrap[None]])",
        "next_value = value",
        "tests/core/test_sequences.py",
    ),
    Mutation(
        "cotangents of bfloat16 products left in float32",
        "backend/matmul_jax.py",
        "low, batch = y_bar.astype(weight.dtype), ",
        "low, batch = y_bar, ",
        "tests/backend/test_matmul.py",
    ),
    Mutation(
        "the world model is trained in float32 whatever the policy",
        "agent/learn.py",
        "jax.grad(Precision.of(config).casting(world_model_loss), has_aux=True)",
        "jax.grad(world_model_loss, has_aux=True)",
        "tests/agent/test_precision.py",
    ),
    Mutation(
        "running means of pictures that never move",
        "agent/learn.py",
        "world_model.seen(batch.observation)",
        "world_model",
        "tests/agent/test_centred_pictures.py",
    ),
    Mutation(
        "centres of S5 layers that never move",
        "agent/learn.py",
        "world_model.recentred(means)",
        "world_model",
        "tests/agent/test_update.py",
    ),
    Mutation(
        "skipping: gradients that are not finite are let through",
        "agent/skip.py",
        "numbers = [*losses, *norms, ",
        "numbers = [*losses, ",
        "tests/agent/test_skipped_updates.py",
    ),
    Mutation(
        "skipping: losses that are not finite are let through",
        "agent/skip.py",
        "numbers = [*losses, *norms, ",
        "numbers = [*norms, ",
        "tests/agent/test_skipped_updates.py",
    ),
    Mutation(
        "skipping: the learner of a skipped update is kept",
        "agent/learn.py",
        "before = level, learner\n    posterior_key",
        "before = level, replace(learner, updates=learner.updates + 1)\n    posterior_key",
        "tests/agent/test_skipped_updates.py",
    ),
    Mutation(
        "skipping: a good update does not end a row",
        "agent/skip.py",
        "(learner.skipped_in_row + skipped) * skipped",
        "learner.skipped_in_row + skipped",
        "tests/agent/test_skipped_updates.py",
    ),
    Mutation(
        "skipping: the worker's latents are written back after a skipped update",
        "agent/update.py",
        "drop_if(metrics.skipped, drawn, ring)",
        "drawn",
        "tests/agent/test_skipped_levels.py",
    ),
    Mutation(
        "skipping: an upper level writes back by what the lowest of them has done",
        "agent/update.py",
        "drop_if(metrics[level - 1].skipped,",
        "drop_if(metrics[0].skipped,",
        "tests/agent/test_skipped_levels.py",
    ),
    Mutation(
        "health: levels and seeds exchanged",
        "training/health.py",
        "np.reshape(part, (len(seeds), -1))",
        'np.reshape(part, (len(seeds), -1), order="F")[::-1]',
        "tests/training/test_health.py",
    ),
)
