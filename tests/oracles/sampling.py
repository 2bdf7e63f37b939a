"""Time-balanced sampling and quantiles from their definitions."""

import math

import numpy as np


def cdf(s):
    return 0.0 if s == 0 else s * (1 - math.log(s))


def index(u, size, temperature):
    return min(max(math.floor(size * (temperature * cdf(u) + (1 - temperature) * u)), 0), size - 1)


def visits_of_a_growing_buffer(size):
    """How often each entry has been drawn when one uniform draw follows every append."""
    visits = np.zeros(size)
    for held in range(1, size + 1):
        visits[:held] += 1 / held
    return visits


def quantile(x, q):
    ordered = sorted(np.ravel(x))
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def bias_corrected_average(values, rate):
    """The weighted mean with weights (1-rate)^age, newest first."""
    weights = [(1 - rate) ** age for age in range(len(values))]
    return sum(w * v for w, v in zip(weights, reversed(values), strict=True)) / sum(weights)
