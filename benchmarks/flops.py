"""Counting what the matrix products and convolutions of a traced program cost.

XLA's own count (`compiled.cost_analysis()`) takes the body of a loop once, whatever its number of trips; here
every loop counts as often as it runs.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from jax.extend import core

from hieros_eqx.backend import tree_bytes


class Products(NamedTuple):
    """What all matrix products and convolutions cost; a multiplication and an addition are two operations."""

    matmul: int
    """Operations of matrix products."""
    convolution: int
    """Operations of convolutions."""
    bytes: int
    """Of their operands and results, the least that must move if all else is fused into them."""

    @property
    def flops(self) -> int:
        """Operations of both."""
        return self.matmul + self.convolution

    def __add__(self, other: tuple) -> "Products":  # type: ignore[override]
        return Products(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def times(self, count: int) -> "Products":
        """The cost of `count` such programs."""
        return Products(*(cost * count for cost in self))


NONE = Products(0, 0, 0)


def count(jaxpr: Any, platform: str = "cuda") -> Products:
    """Return the cost of the products in a (closed) jaxpr when lowered for `platform`.

    Elementwise arithmetic is left out. Of a branch that depends on data the costlier side counts. Raises
    `ValueError` for products in a loop whose number of trips the program does not say.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    total = NONE
    for equation in jaxpr.eqns:
        total += _of_equation(equation, platform)
    return total


def _of_equation(equation: Any, platform: str) -> Products:
    params = equation.params
    match equation.primitive.name:
        case "dot_general":
            return Products(_matmul(equation), 0, _bytes(equation))
        case "conv_general_dilated":
            return Products(0, _convolution(equation), _bytes(equation))
        case "scan":
            return count(params["jaxpr"], platform).times(params["length"])
        case "while":
            body = count(params["body_jaxpr"], platform)
            if body.flops:
                raise ValueError("wanted products in a `scan`, got a `while`: its trips are not known")
            return body
        case "cond":
            return _branch(params, platform)
    total = NONE
    for inner in _inner(params):
        total += count(inner, platform)
    return total


def _branch(params: dict[str, Any], platform: str) -> Products:
    branches, platforms = params["branches"], params.get("branches_platforms")
    if platforms is None:
        return max((count(branch, platform) for branch in branches), key=lambda cost: cost.flops)
    for branch, names in zip(branches, platforms, strict=True):
        if names is None or platform in names:
            return count(branch, platform)
    raise ValueError(f"no branch for {platform!r} among {platforms}")


def _inner(params: dict[str, Any]) -> Iterator[Any]:
    for value in params.values():
        if isinstance(value, core.Jaxpr | core.ClosedJaxpr):
            yield value


def _bytes(equation: Any) -> int:
    return tree_bytes([variable.aval for variable in (*equation.invars, *equation.outvars)])


def _matmul(equation: Any) -> int:
    (left, _), out = (variable.aval for variable in equation.invars), equation.outvars[0].aval
    (contracted, _), _ = equation.params["dimension_numbers"]
    return 2 * math.prod(out.shape) * math.prod(left.shape[axis] for axis in contracted)


def _convolution(equation: Any) -> int:
    """Count products with numbers of the image: neither with padding nor with the zeros of dilation."""
    params = equation.params
    lhs, rhs = (variable.aval.shape for variable in equation.invars)
    out = equation.outvars[0].aval.shape
    lhs_spec, rhs_spec, out_spec = params["dimension_numbers"]
    hits = 1
    for i, (low, _) in enumerate(params["padding"]):
        hits *= _hits(
            image=lhs[lhs_spec[2 + i]],
            kernel=rhs[rhs_spec[2 + i]],
            out=out[out_spec[2 + i]],
            stride=params["window_strides"][i],
            low=low,
            image_dilation=params["lhs_dilation"][i],
            kernel_dilation=params["rhs_dilation"][i],
        )
    return 2 * out[out_spec[0]] * out[out_spec[1]] * rhs[rhs_spec[1]] * hits


def _hits(
    *, image: int, kernel: int, out: int, stride: int, low: int, image_dilation: int, kernel_dilation: int
) -> int:
    """Return how many (output, kernel) positions of one axis meet a number of the image."""
    last = (image - 1) * image_dilation
    found = 0
    for position in range(out):
        for tap in range(kernel):
            at = position * stride - low + tap * kernel_dilation
            found += 0 <= at <= last and at % image_dilation == 0
    return found
