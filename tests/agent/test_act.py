"""Acting against the definition: clocks, macro-steps, held subgoals, windows, and what replay keeps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import act, init, init_carry, init_params, policy
from hieros_eqx.agent.features import read
from hieros_eqx.agent.step import epsilon_at
from hieros_eqx.replay import init_replay, record
from hieros_eqx.replay.buffer import from_bits
from tests.agent.conftest import NUM_ENVS, SPACES, make_probe, on_host, tiny
from tests.oracles.hierarchy import entries

STEPS = 120


@pytest.fixture(
    scope="module", params=[(4, "mean"), (2, "sum"), (1, "mean")], ids=["four levels", "sums", "one level"]
)
def played(request):
    """Return config and everything that was seen in `STEPS` steps of three environments."""
    levels, macro_step = request.param
    config = tiny(levels=levels, reward={"macro_step": macro_step})
    params = init_params(config, SPACES, jax.random.key(0))
    carry = init_carry(params, NUM_ENVS)
    replay = init_replay(config, SPACES)
    env = make_probe()
    timestep = env.reset()
    step = jax.jit(partial(policy, params))
    append = jax.jit(record)
    log = []
    for i in range(STEPS):
        timestep = timestep._replace(
            reward=np.float32(np.arange(NUM_ENVS) + 1 + 0.5 * (i % 7)) * ~timestep.is_first
        )
        carry, action, transitions, due = step(carry, timestep, jax.random.fold_in(jax.random.key(1), i))
        replay = append(replay, transitions, due)
        log.append(on_host((timestep, carry, action, transitions, due)))
        timestep = env.step(np.asarray(action))
    return config, log, on_host(replay)


def expected(config, log, env):
    stream = [
        (float(t.reward[env]), bool(t.is_first[env]), bool(t.is_last[env]), bool(t.is_terminal[env]))
        for t, *_ in log
    ]
    mean = config.reward.macro_step == "mean"
    return entries(stream, config.levels, config.macro_length, config.window, mean=mean)


def test_entries_are_made_when_the_definition_says(played):
    config, log, replay = played
    for env in range(NUM_ENVS):
        for level, wanted in enumerate(expected(config, log, env)):
            got = [i for i, (*_, due) in enumerate(log) if due[level][env]]
            assert got == [e.step for e in wanted]
            assert replay[level].count[env] == len(wanted)


def test_rewards_and_flags_of_entries(played):
    config, log, _ = played
    for env in range(NUM_ENVS):
        for level, wanted in enumerate(expected(config, log, env)):
            for e in wanted:
                got = log[e.step][3][level]
                np.testing.assert_allclose(
                    got.reward[env], e.reward, rtol=1e-5
                )  # float32 sums of <= 27 terms
                flags = (got.is_first[env], got.is_last[env], got.is_terminal[env])
                assert flags == (e.is_first, e.is_last, e.is_terminal)


def test_pointers_name_the_window(played):
    config, log, replay = played
    for env in range(NUM_ENVS):
        for level, wanted in enumerate(expected(config, log, env)):
            if level:
                pointers = replay[level].observation[env, : len(wanted)]
                assert pointers.tolist() == [e.below for e in wanted]


def test_windows_hold_the_latents_pointed_at(played):
    config, log, replay = played
    for level in range(1, config.levels):
        for env in range(NUM_ENVS):
            for e in expected(config, log, env)[level]:
                window = log[e.step][1].levels[level].window
                below = replay[level - 1]
                np.testing.assert_array_equal(window.stoch[env].argmax(-1), below.stoch[env, e.below])
                stored = from_bits(below.deter[env, e.below])
                np.testing.assert_allclose(window.deter[env], stored, rtol=2**-8)  # bfloat16


def test_actions_are_chosen_at_acting_steps_and_held_between(played):
    config, log, _ = played
    for env in range(NUM_ENVS):
        for level, wanted in enumerate(expected(config, log, env)):
            acting = {e.step for e in wanted if e.acts}
            for step in range(1, STEPS):
                timestep, carry, *_ = log[step]
                now = carry.levels[level].action[env]
                before = log[step - 1][1].levels[level].action[env]
                if step not in acting and not timestep.is_first[env]:
                    np.testing.assert_array_equal(now, before)
                factors = 1 if level == 0 else config.subgoal.factors
                if step in acting:
                    assert now.sum() == factors  # one choice per factor
        assert level == config.levels - 1


def test_stored_action_is_zero_at_the_end_and_code_is_the_action_above(played):
    config, log, _ = played
    for timestep, carry, action, transitions, _ in log:
        last = timestep.is_last
        for level, transition in enumerate(transitions):
            assert not transition.action[last].any()
            code = transition.code.reshape(NUM_ENVS, -1)
            if level == config.levels - 1:
                assert not code.any()
            else:
                np.testing.assert_array_equal(code, carry.levels[level + 1].action)
        np.testing.assert_array_equal(action[~last], transitions[0].action[~last].argmax(-1))


def test_some_codes_change_between_macro_steps(played):
    config, log, _ = played
    for level in range(1, config.levels):
        codes = {entry[1].levels[level].action[0].tobytes() for entry in log}
        assert len(codes) > 3


def test_latents_change_only_where_due_and_forget_the_past_episode(played):
    config, log, _ = played
    for level in range(config.levels):
        for step in range(1, STEPS):
            due = log[step][4][level]
            now, before = log[step][1].levels[level].latent, log[step - 1][1].levels[level].latent
            for a, b in zip(now, before, strict=True):
                np.testing.assert_array_equal(a[~due], b[~due])
            assert (np.abs(now.deter[due] - before.deter[due]).max(axis=-1, initial=0) > 0).all()


def test_an_environment_does_not_feel_the_others():
    """Row 1 of a batch of three acts as it does when the two beside it see something else."""
    config = tiny(levels=3)
    params = init_params(config, SPACES, jax.random.key(0))
    step = jax.jit(partial(policy, params))
    rows = []
    for others in (0, 1):
        env = make_probe(seed=5)
        carry, timestep = init_carry(params, NUM_ENVS), env.reset()
        seen = []
        for i in range(40):
            observation = np.array(timestep.observation)
            observation[[0, 2]] += others
            flags = [np.array(f) for f in timestep[2:]]
            if others and i % 5 == 0:
                flags[0][[0, 2]] = True  # their clocks start anew, ours goes on
            timestep = type(timestep)(observation, timestep.reward, *flags)
            carry, action, *_ = step(carry, timestep, jax.random.fold_in(jax.random.key(1), i))
            seen.append(on_host((carry, action)))
            timestep = env.step(np.zeros(NUM_ENVS, np.int32))
        rows.append(jax.tree.map(lambda *x: np.stack([leaf[1] for leaf in x]), *seen))
    for a, b in zip(*map(jax.tree.leaves, rows), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # float32, same row of a batched matmul


def test_greedy_takes_the_mode():
    config = tiny(levels=1)
    params = init_params(config, SPACES, jax.random.key(0))
    timestep = make_probe().reset()
    step = jax.jit(partial(policy, params, greedy=True))
    actions = [step(init_carry(params, NUM_ENVS), timestep, jax.random.key(i)) for i in range(3)]
    for carry, action, *_ in actions:
        latent = carry.levels[0].latent
        code = jnp.zeros((NUM_ENVS, config.subgoal.factors * config.subgoal.classes), jnp.float32)
        logits = params.worker.actor(read(params.worker, latent, code).policy_input)
        np.testing.assert_array_equal(action, logits[:, 0].argmax(-1))


@pytest.mark.parametrize("levels", [1, 2])
def test_epsilon_is_the_share_of_uniform_actions(levels):
    """Beside modes: whoever explores takes every action alike, and replay keeps what was done."""
    config, epsilon = tiny(levels=levels), 0.6
    params = init_params(config, SPACES, jax.random.key(0))
    timestep = make_probe().reset()
    carry, keys = init_carry(params, NUM_ENVS), jax.random.split(jax.random.key(3), 2_000)
    step = partial(policy, params, carry, timestep, greedy=True)
    explored, action, transitions, _ = on_host(jax.vmap(partial(step, epsilon=epsilon))(keys))
    never, mode, *_ = on_host(jax.vmap(partial(step, epsilon=1e-9))(keys))
    changed, others = (action != mode).mean(axis=0), 1 - 1 / SPACES.action.size
    np.testing.assert_allclose(changed, epsilon * others, atol=0.05)  # 4.5 standard errors
    other = (action - mode)[action != mode] % SPACES.action.size
    np.testing.assert_allclose(np.bincount(other)[1:] / len(other), 0.25, atol=0.035)
    np.testing.assert_array_equal(transitions[0].action.argmax(-1), action)
    np.testing.assert_array_equal(explored.levels[0].action.argmax(-1), action)
    for got, want in zip(explored.levels[1:], never.levels[1:], strict=True):
        np.testing.assert_array_equal(got.action, want.action)  # what is asked for is not explored


def test_the_end_of_an_episode_is_no_step_to_explore():
    params = init_params(tiny(levels=1), SPACES, jax.random.key(0))
    timestep = make_probe().reset()
    ended = timestep._replace(is_first=~timestep.is_first, is_last=~timestep.is_last)
    held = init_carry(params, NUM_ENVS)
    carry, *_ = policy(params, held, ended, jax.random.key(1), epsilon=1.0)
    np.testing.assert_array_equal(carry.levels[0].action, held.levels[0].action)


def test_acting_while_learning_explores():
    state = init(tiny(levels=1, behaviour={"epsilon": 1.0}), SPACES, jax.random.key(0))
    timestep = make_probe().reset()
    choose = partial(policy, state.params, state.carry, timestep, jax.random.split(state.key)[1])
    own, uniform = on_host((choose()[1], choose(epsilon=1.0)[1]))
    _, action = act(state, timestep)
    np.testing.assert_array_equal(action, uniform)
    assert (own != uniform).any()


@pytest.mark.parametrize(("first", "last"), [(0.8, 0.0), (0.0, 0.5), (0.3, 0.3)])
def test_epsilon_changes_linearly_over_the_run(first, last):
    config = tiny(behaviour={"epsilon": first, "epsilon_final": last})
    total = config.training.env_steps
    for done in (0, 1 / 3, 1, 2):  # a run of several environments may end a little later
        want = first + (last - first) * min(done, 1)
        assert epsilon_at(config, jnp.int32(done * total)) == pytest.approx(want, abs=1e-6)


def test_who_never_explores_draws_nothing_for_it():
    assert epsilon_at(tiny(), jnp.int32(0)) is None
