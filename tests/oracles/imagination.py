"""Losses of actor and critics by loops over imagined states; imports nothing of the package."""

from typing import NamedTuple

import numpy as np


class CriticLoss(NamedTuple):
    """What a critic is trained on."""

    loss: float
    values: np.ndarray
    returns: np.ndarray
    targets: np.ndarray  # sum of both two-hot targets


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def two_hot(x, bins):
    x = min(max(x, bins[0]), bins[-1])
    out = np.zeros(len(bins))
    above = int(np.searchsorted(bins, x))
    if bins[above] == x:
        out[above] = 1.0
        return out
    low, high = bins[above - 1], bins[above]
    out[above - 1] = (high - x) / (high - low)
    out[above] = (x - low) / (high - low)
    return out


def critic_loss(logits, slow_logits, bins, reward, discount, weight, lambda_):
    kinds, horizon, starts = reward.shape
    values, slow = np.zeros(reward.shape), np.zeros(reward.shape)
    for index in np.ndindex(*reward.shape):
        values[index] = softmax(logits[index]) @ bins
        slow[index] = softmax(slow_logits[index]) @ bins
    returns = np.zeros((kinds, horizon - 1, starts))
    targets = np.zeros((kinds, horizon - 1, starts, len(bins)))
    loss = 0.0
    for j in range(kinds):
        for n in range(starts):
            following = values[j, -1, n]
            for t in reversed(range(horizon - 1)):
                mixed = (1 - lambda_) * values[j, t + 1, n] + lambda_ * following
                following = returns[j, t, n] = reward[j, t, n] + discount[j, t, n] * mixed
                targets[j, t, n] = two_hot(following, bins) + two_hot(slow[j, t, n], bins)
                log_probs = np.log(softmax(logits[j, t, n]))
                loss -= weight[t, n] * (targets[j, t, n] @ log_probs) / ((horizon - 1) * starts)
    return CriticLoss(loss, values, returns, targets)


def actor_loss(log_probs, action, advantage, weight, entropy_scale):
    steps, starts, _ = action.shape
    loss = 0.0
    for t in range(steps):
        for n in range(starts):
            entropy = -(np.exp(log_probs[t, n]) * log_probs[t, n]).sum()
            chosen = log_probs[t, n, action[t, n].argmax()]
            loss -= weight[t, n] * (chosen * advantage[t, n] + entropy_scale * entropy)
    return loss / (steps * starts)
