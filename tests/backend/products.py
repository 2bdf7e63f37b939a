"""Which products a program forms, and in which types: matrix products and convolutions of a jaxpr."""

from typing import NamedTuple

import jax
from jax.extend.core import jaxprs_in_params

PRODUCTS = ("dot_general", "conv_general_dilated")


class Product(NamedTuple):
    left: str
    right: str
    result: str


def products(function, *args):
    """Return every product of a traced function, those inside of loops, branches and rules included."""
    return list(_of_jaxpr(jax.make_jaxpr(function)(*args).jaxpr))


def _of_jaxpr(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name in PRODUCTS:
            yield Product(*(v.aval.dtype.name for v in (*equation.invars[:2], *equation.outvars)))
        for inner in jaxprs_in_params(equation.params):
            yield from _of_jaxpr(inner)
