"""The precision policy: in which type the weights multiply, while everything else stays float32."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp

from hieros_eqx.backend import is_jax
from hieros_eqx.config import HierosConfig
from hieros_eqx.modules.conv import ConvDecoder, ConvEncoder
from hieros_eqx.modules.dense import Linear


@dataclass(frozen=True)
class Precision:
    """`float32`, or `bfloat16` products under float32 parameters, sums, losses and SSM states.

    The policy acts on weights alone: `backend.matmul` and the convolutions compute in the dtype of the weight
    that they are given, and return the dtype of their input.
    """

    compute: Literal["float32", "bfloat16"]

    @classmethod
    def of(cls, config: HierosConfig) -> "Precision":
        """Return the policy that a configuration asks for."""
        return cls(config.precision)

    def cast(self, tree: Any) -> Any:
        """Return the tree with its `multiplying_weights` in the dtype of the products.

        Norms, biases and S5 layers keep theirs, and so do NumPy arrays, which know no bfloat16: an agent on
        NumPy leaves computes in float32. Gradients flow through the cast. For `float32` the tree itself.
        """
        if self.compute == "float32":
            return tree
        return eqx.tree_at(multiplying_weights, tree, replace_fn=_to_bfloat16)

    def casting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with its first argument, a tree of parameters, cast.

        This is what to differentiate: the gradient has the parameters' own dtypes.
        """
        return lambda tree, *args: function(self.cast(tree), *args)


def multiplying_weights(tree: Any) -> list[Any]:
    """Return the matrices of linear layers and the kernels of convolutions in a tree of modules."""
    kinds = (Linear, ConvEncoder, ConvDecoder)
    found = []
    for node in jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, kinds)):
        if isinstance(node, Linear):
            found.append(node.weight)
        elif isinstance(node, ConvEncoder):
            found.extend(node.kernels)
        elif isinstance(node, ConvDecoder):
            found.extend([node.grid.weight, *node.kernels])
    return found


def _to_bfloat16(weight: Any) -> Any:
    return weight.astype(jnp.bfloat16) if is_jax(weight) else weight
