"""Encoders: what a level observes (an image, a vector, or a window of latents) to features."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import equinox as eqx
from jaxtyping import Float, UInt8

from hieros_eqx.backend import namespace
from hieros_eqx.backend.random import Key
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core import transforms
from hieros_eqx.errors import ConfigError
from hieros_eqx.modules.conv import ConvEncoder, grid_shape
from hieros_eqx.modules.dense import HiddenStack
from hieros_eqx.modules.running_mean import RunningMean
from hieros_eqx.types import Array, ObservationSpace, Window


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """What a level >= 1 observes: the last `window` latents of the level below."""

    window: int
    stoch: int
    classes: int
    deter: int

    @property
    def size(self) -> int:
        """Numbers in one window."""
        return self.window * (self.stoch * self.classes + self.deter)


def scale_image(
    image: UInt8[Array, "*batch height width channels"], dtype: Any
) -> Float[Array, "*batch height width channels"]:
    """Return pixels in [-0.5, 0.5]."""
    return image.astype(dtype) / 255 - 0.5


def with_centre_moved(module: Any, image: UInt8[Array, "*batch height width channels"]) -> Any:
    """Return an encoder or a decoder with its running mean, if it has one, moved by a batch of pictures."""
    if module.centre is None:
        return module
    centre = module.centre.moved(scale_image(image, module.centre.mean.dtype))
    return eqx.tree_at(lambda own: own.centre, module, centre)


def flatten_window(window: Window) -> Float[Array, "*batch feature"]:
    """Return all z of the window, then all h."""
    xp = namespace(window.stoch, window.deter)
    stoch, deter = window.stoch, window.deter
    flat = stoch.reshape(*stoch.shape[:-3], math.prod(stoch.shape[-3:]))
    return xp.concatenate([flat, deter.reshape(*deter.shape[:-2], math.prod(deter.shape[-2:]))], axis=-1)


class AbstractEncoder(eqx.Module):
    """Observation to features."""

    output_size: eqx.AbstractVar[int]

    @abstractmethod
    def __call__(self, observation: Any) -> Float[Array, "*batch feature"]:
        """Return features of every observation, over any leading axes."""

    def seen(self, observation: Any) -> "AbstractEncoder":
        """Return the encoder with its running mean, if it has one, moved by a batch."""
        del observation
        return self


class ImageEncoder(AbstractEncoder):
    """Images (uint8), with `centred` less their running mean, through four strided convolutions."""

    conv: ConvEncoder
    centre: RunningMean | None
    output_size: int = eqx.field(static=True)

    def __init__(self, shape: tuple[int, ...], depth: int, *, centred: bool = False, key: Key):
        self.output_size = math.prod(grid_shape(shape, depth))
        self.conv = ConvEncoder(shape[-1], depth, key=key)
        self.centre = RunningMean(shape) if centred else None

    def __call__(
        self, observation: UInt8[Array, "*batch height width channels"]
    ) -> Float[Array, "*batch feature"]:
        """Return the flattened grid of features."""
        image = scale_image(observation, self.conv.norms[0].scale.dtype)
        return self.conv(image if self.centre is None else image - self.centre(image))

    def seen(self, observation: UInt8[Array, "*batch height width channels"]) -> "ImageEncoder":
        """Return the encoder with its running mean, if it has one, moved by a batch."""
        return with_centre_moved(self, observation)


class VectorEncoder(AbstractEncoder):
    """Vectors through hidden layers; `symlog` squashes inputs of unknown scale first."""

    hidden: HiddenStack
    symlog: bool = eqx.field(static=True)
    output_size: int = eqx.field(static=True)

    def __init__(self, size: int, width: int, layers: int, *, symlog: bool = True, key: Key):
        self.hidden = HiddenStack(size, width, layers, key=key)
        self.symlog = symlog
        self.output_size = width

    def __call__(self, observation: Float[Array, "*batch inputs"]) -> Float[Array, "*batch feature"]:
        """Return the last hidden layer's activations."""
        return self.hidden(transforms.symlog(observation) if self.symlog else observation)


class WindowEncoder(AbstractEncoder):
    """Windows of latents through hidden layers; z is one-hot and h squashed already."""

    hidden: HiddenStack
    output_size: int = eqx.field(static=True)

    def __init__(self, spec: WindowSpec, width: int, layers: int, *, key: Key):
        self.hidden = HiddenStack(spec.size, width, layers, key=key)
        self.output_size = width

    def __call__(self, observation: Window) -> Float[Array, "*batch feature"]:
        """Return the last hidden layer's activations."""
        return self.hidden(flatten_window(observation))


def make_encoder(
    observation: ObservationSpace | WindowSpec, config: WorldModelConfig, *, key: Key
) -> AbstractEncoder:
    """Return the encoder for what a level observes, or raise `ConfigError` for a shape that suits none."""
    if isinstance(observation, WindowSpec):
        return WindowEncoder(observation, config.mlp_width, config.mlp_layers, key=key)
    if observation.kind == "image":
        return ImageEncoder(observation.shape, config.cnn_depth, centred=config.centre_pictures, key=key)
    return VectorEncoder(vector_size(observation.shape), config.mlp_width, config.mlp_layers, key=key)


def vector_size(shape: tuple[int, ...]) -> int:
    """Return the length of vectors of that shape, or raise `ConfigError`."""
    if len(shape) != 1:
        raise ConfigError(f"observation shape {shape}: wanted one axis; flatten the observation.")
    return shape[0]
