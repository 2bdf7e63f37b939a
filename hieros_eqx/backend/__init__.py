"""The only place that knows both array libraries: NumPy and, where it is installed, JAX.

Every function looks at its arguments: JAX arrays are served by JAX, all others by NumPy, and JAX wins in
a mix. There is no global switch; `to_numpy(tree)` and `to_jax(tree)` move a computation.
"""

from hieros_eqx.backend import random as random
from hieros_eqx.backend.arrays import as_complex as as_complex
from hieros_eqx.backend.arrays import erf as erf
from hieros_eqx.backend.arrays import set_at as set_at
from hieros_eqx.backend.arrays import sigmoid as sigmoid
from hieros_eqx.backend.arrays import stop_gradient as stop_gradient
from hieros_eqx.backend.control import associative_scan as associative_scan
from hieros_eqx.backend.control import cond as cond
from hieros_eqx.backend.control import scan as scan
from hieros_eqx.backend.convolution import conv2d as conv2d
from hieros_eqx.backend.convolution import conv2d_transpose as conv2d_transpose
from hieros_eqx.backend.dispatch import is_jax as is_jax
from hieros_eqx.backend.dispatch import namespace as namespace
from hieros_eqx.backend.matmul import matmul as matmul
from hieros_eqx.backend.recurrence import linear_recurrence as linear_recurrence
from hieros_eqx.backend.recurrence import linear_recurrence_parallel as linear_recurrence_parallel
from hieros_eqx.backend.recurrence import linear_recurrence_sequential as linear_recurrence_sequential
from hieros_eqx.backend.trees import to_jax as to_jax
from hieros_eqx.backend.trees import to_numpy as to_numpy
from hieros_eqx.backend.trees import tree_bytes as tree_bytes
from hieros_eqx.backend.trees import tree_leaves as tree_leaves
from hieros_eqx.backend.trees import tree_map as tree_map
