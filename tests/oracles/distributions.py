"""Categoricals, two-hot coding and likelihoods, one number at a time."""

import math

import numpy as np


def each(function, *arrays):
    """Apply a function of vectors (the last axis) at every position of the leading axes."""
    arrays = [np.asarray(a, np.float64) for a in arrays]
    lead = arrays[0].shape[:-1]
    results = [function(*(a[position] for a in arrays)) for position in np.ndindex(lead)]
    return np.array(results).reshape(*lead, *np.shape(results[0]))


def softmax(logits):
    total = sum(math.exp(x - max(logits)) for x in logits)
    return np.array([math.exp(x - max(logits)) / total for x in logits])


def unimix(logits, ratio):
    return np.array([math.log((1 - ratio) * p + ratio / len(logits)) for p in softmax(logits)])


def kl(logits_p, logits_q):
    return sum(p * math.log(p / q) for p, q in zip(softmax(logits_p), softmax(logits_q), strict=True))


def entropy(logits):
    return -sum(p * math.log(p) for p in softmax(logits))


def log_prob(logits, value):
    return sum(v * math.log(p) for v, p in zip(value, softmax(logits), strict=True))


def one_hot_of_argmax(scores):
    best = 0
    for i, score in enumerate(scores):
        if score > scores[best]:
            best = i
    return np.array([1.0 if i == best else 0.0 for i in range(len(scores))])


def symlog(x):
    return math.copysign(math.log1p(abs(x)), x)


def symexp(x):
    return math.copysign(math.expm1(abs(x)), x)


def two_hot(x, bins):
    weights = np.zeros(len(bins))
    x = min(max(x, bins[0]), bins[-1])
    for i in range(len(bins) - 1):
        if bins[i] <= x <= bins[i + 1]:
            share = (x - bins[i]) / (bins[i + 1] - bins[i])
            weights[i], weights[i + 1] = 1 - share, share
            return weights
    raise AssertionError("bins must ascend")


def bernoulli_log_prob(logit, x):
    p = 1 / (1 + math.exp(-logit))
    return x * math.log(p) + (1 - x) * math.log(1 - p)


def layer_norm(x, scale, offset, eps):
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    return np.array(
        [(v - mean) / math.sqrt(variance + eps) * s + o for v, s, o in zip(x, scale, offset, strict=True)]
    )


def subgoal_reward(goal, state, squared):
    larger = max(math.sqrt(sum(g * g for g in goal)), math.sqrt(sum(h * h for h in state)))
    product = sum(g * h for g, h in zip(goal, state, strict=True))
    return 0.0 if larger == 0 else product / larger ** (2 if squared else 1)


def novelty_reward(state, reconstruction, norm):
    square = sum((a - b) ** 2 for a, b in zip(state, reconstruction, strict=True))
    return math.sqrt(square) if norm == "l2" else square / len(state)
