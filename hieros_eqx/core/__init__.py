"""The mathematics of Hieros as pure functions: NumPy or JAX by their arguments, time first, features last."""

from hieros_eqx.core import alignment as alignment
from hieros_eqx.core import categorical as categorical
from hieros_eqx.core import etbs as etbs
from hieros_eqx.core import hippo as hippo
from hieros_eqx.core import kl_balance as kl_balance
from hieros_eqx.core import likelihood as likelihood
from hieros_eqx.core import macro as macro
from hieros_eqx.core import nn as nn
from hieros_eqx.core import normalise as normalise
from hieros_eqx.core import returns as returns
from hieros_eqx.core import rewards as rewards
from hieros_eqx.core import ssm as ssm
from hieros_eqx.core import transforms as transforms
