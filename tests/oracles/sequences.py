"""Recurrences, returns, alignment and the acting clock, one step at a time."""

import numpy as np


def linear_recurrence(a, b):
    states, x = [], np.zeros_like(b[0])
    for t in range(len(b)):
        x = a[t] * x + b[t]
        states.append(x)
    return np.stack(states)


def ssm_states(a_bar, bu, reset, x_init, x_reset):
    """S5 with episode resets, one environment and one state after the other."""
    states = np.zeros(bu.shape, np.complex128)
    for position in np.ndindex(bu.shape[1:]):
        *where, p = position
        x = x_init[position]
        for t in range(len(bu)):
            if reset[(t, *where)]:
                x = x_reset[position]
            x = a_bar[p] * x + bu[(t, *position)]
            states[(t, *position)] = x
    return states


def lambda_return(reward, value, discount, bootstrap, lambda_):
    """The definition as a mixture: (1-l) sum_n l^(n-1) n-step return, the rest on the longest."""
    horizon = len(reward)
    values = np.concatenate([value, bootstrap[None]])
    returns = np.zeros_like(reward)
    for t in range(horizon):
        for n in range(1, horizon - t + 1):
            total, weight = np.zeros_like(bootstrap), np.ones_like(bootstrap)
            for j in range(t, t + n):
                total = total + weight * reward[j]
                weight = weight * discount[j]
            total = total + weight * values[t + n]
            last = n == horizon - t
            returns[t] += lambda_ ** (n - 1) * (1 if last else 1 - lambda_) * total
    return returns


def continuation_weights(initial, discount):
    return np.stack([initial * np.prod(discount[:t], axis=0) for t in range(len(discount))])


def previous_action(action, is_first, before):
    out = np.zeros_like(action)
    for t in range(len(action)):
        for position in np.ndindex(is_first.shape[1:]):
            if not is_first[(t, *position)]:
                out[(t, *position)] = before[position] if t == 0 else action[(t - 1, *position)]
    return out


def zoh(eigenvalue, b, step, terms=60):
    """exp(L dt) and the integral of exp(L s) B over one step, as power series."""
    a_bar, gain, power = 0.0, 0.0, 1.0 + 0.0j
    for n in range(terms):
        a_bar += power
        gain += power * step / (n + 1)
        power *= eigenvalue * step / (n + 1)
    return a_bar, gain * b


def gru(weight, scale, offset, x, h):
    """One step of DreamerV3's GRU (arXiv 2301.04104), one number after the other."""
    inputs, size = [*h, *x], len(h)
    raw = [sum(inputs[i] * weight[i, j] for i in range(len(inputs))) for j in range(3 * size)]
    mean = sum(raw) / len(raw)
    variance = sum((r - mean) ** 2 for r in raw) / len(raw)
    gates = [
        (r - mean) / (variance + 1e-3) ** 0.5 * s + o for r, s, o in zip(raw, scale, offset, strict=True)
    ]
    after = []
    for j in range(size):
        reset = 1 / (1 + np.exp(-gates[j]))
        update = 1 / (1 + np.exp(1 - gates[2 * size + j]))
        after.append(update * np.tanh(reset * gates[size + j]) + (1 - update) * h[j])
    return np.array(after)
