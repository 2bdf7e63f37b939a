"""Sizes and choices of one level's world model (ALGORITHM: docs/algorithm.md, section 2)."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from hieros_eqx.config.validation import option, reject, validate


@dataclass(frozen=True, kw_only=True)
class S5Config:
    """The stack of S5 blocks."""

    SECTION: ClassVar[str] = "world_model.s5"

    width: int = option(256, at_least=1)
    """Model width D."""
    state: int = option(128, at_least=1)
    """Complex SSM states P of one S5 layer."""
    num_blocks: int = option(4, at_least=1, at_most=64)
    double: bool = True
    """Two S5 layers a block instead of one."""
    init_blocks: int = option(4, at_least=1)
    """HiPPO blocks on the diagonal at initialisation; divides `state`."""
    ff_layers: int = option(0, at_least=0, at_most=64)
    """Feed-forward layers at the end of a block."""
    discretization: Literal["zoh", "bilinear"] = "zoh"
    reset_state: Literal["learned", "zeros"] = "learned"
    """SSM state at the start of an episode."""
    step_min: float = option(0.001, above=0)
    step_max: float = option(0.1, above=0)
    centre_rate: float = option(0.0, at_least=0, at_most=1)
    """Rate of the running mean that is taken from what an S5 layer takes in; 0: nothing is (decision 022)."""

    def __post_init__(self):
        validate(self)
        if self.state % self.init_blocks:
            raise reject(
                f"{self.SECTION}.init_blocks", self.init_blocks, f"a divisor of state = {self.state}"
            )
        if self.step_min > self.step_max:
            raise reject(f"{self.SECTION}.step_min", self.step_min, f"at most step_max = {self.step_max}")

    @property
    def num_layers(self) -> int:
        """S5 layers in the whole stack."""
        return self.num_blocks * (2 if self.double else 1)


@dataclass(frozen=True, kw_only=True)
class WorldModelConfig:
    """World model of one level: latent sizes, encoder, decoder, heads and loss."""

    SECTION: ClassVar[str] = "world_model"

    kind: Literal["s5wm", "rssm"] = "s5wm"
    """The sequence model: S5 layers, or the GRU of DreamerV3, of which `s5` says nothing."""
    s5: S5Config = field(default_factory=S5Config)
    stoch: int = option(32, at_least=1)
    """Categorical variables S of z."""
    classes: int = option(32, at_least=2, at_most=256)
    """Classes C of each; kept as one byte in replay."""
    deter: int = option(256, at_least=1)
    """Size of h."""
    hidden: int = option(256, at_least=1)
    """Width of m and of the hidden layers of posterior, prior and heads."""
    head_layers: int = option(2, at_least=1, at_most=64)
    state_as_deter: bool = True
    """h from the SSM states (true) or from the output m of the sequence model (false)."""
    normalize_deter: bool = False
    """Layer normalisation of h before its symlog, so that what it keeps is as loud as z; S5WM alone."""
    unimix: float = option(0.01, at_least=0, at_most=1)
    posterior_scale: float = option(4.0, above=0)
    """Initial scale of the posterior's logits: at 1 every z starts as a guess and says nothing at first."""
    cnn_depth: int = option(24, at_least=1)
    centre_pictures: bool = False
    """Pictures less the mean of all that updates have seen, for encoder and decoder alike (decision 026)."""
    picture_scale: float = option(1.0, above=0)
    """Initial scale of decoded pictures: below 1 a decoder begins with little of its own to unlearn."""
    mlp_width: int = option(1024, at_least=1)
    mlp_layers: int = option(2, at_least=1, at_most=64)
    bins: int = option(255, at_least=3)
    bin_space: Literal["symexp", "symlog"] = "symexp"
    """Where the two-hot bins of rewards and values are evenly spaced and where their mean is taken."""
    upper_loss: Literal["latent", "symlog_mse"] = "latent"
    """How levels >= 1 score their reconstruction of the window of latents."""
    free_nats: float = option(1.0, at_least=0)
    dyn_scale: float = option(0.5, at_least=0)
    rep_scale: float = option(0.1, at_least=0)

    def __post_init__(self):
        validate(self)
        if self.bins % 2 == 0:
            raise reject(f"{self.SECTION}.bins", self.bins, "an odd number, so that one bin is exactly zero")

    @property
    def state_size(self) -> int:
        """Real numbers of the state behind h: both parts of every SSM state; a GRU has none but h."""
        return self.s5.num_layers * 2 * self.s5.state if self.kind == "s5wm" else 0
