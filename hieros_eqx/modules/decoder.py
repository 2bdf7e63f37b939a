"""Decoders: features of a latent back to what the level observed, and how far off they are."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Float, UInt8

from hieros_eqx.backend import namespace
from hieros_eqx.backend.random import Key
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core import categorical, likelihood, transforms
from hieros_eqx.modules.conv import ConvDecoder
from hieros_eqx.modules.dense import MLP
from hieros_eqx.modules.encoder import WindowSpec, scale_image, vector_size, with_centre_moved
from hieros_eqx.modules.running_mean import RunningMean
from hieros_eqx.types import Array, ObservationSpace, Window


class AbstractDecoder(eqx.Module):
    """Features of a latent to a prediction of the observation."""

    @abstractmethod
    def __call__(self, feature: Float[Array, "*batch feature"]) -> Any:
        """Return the prediction, in the space in which it is scored."""

    @abstractmethod
    def loss(self, prediction: Any, observation: Any) -> Float[Array, "*batch"]:
        """Return `-ln p(observation)` up to a constant, summed over all but the leading axes."""

    @abstractmethod
    def to_observation(self, prediction: Any) -> Any:
        """Return the most likely observation, in the form in which observations come."""

    def seen(self, observation: Any) -> "AbstractDecoder":
        """Return the decoder with its running mean, if it has one, moved by a batch."""
        del observation
        return self


class ImageDecoder(AbstractDecoder):
    """Images by transposed convolutions; squared error summed over pixels scaled to [-0.5, 0.5].

    With `centred` what is decoded is what an image differs by from the running mean. `scale` is that of the
    last kernel at first.
    """

    conv: ConvDecoder
    centre: RunningMean | None

    def __init__(
        self,
        inputs: int,
        shape: tuple[int, ...],
        depth: int,
        *,
        centred: bool = False,
        scale: float = 1.0,
        key: Key,
    ):
        self.conv = ConvDecoder(inputs, shape, depth, scale, key=key)
        self.centre = RunningMean(shape) if centred else None

    def __call__(
        self, feature: Float[Array, "*batch feature"]
    ) -> Float[Array, "*batch height width channels"]:
        """Return an image, 0 for a middle grey."""
        image = self.conv(feature)
        return image if self.centre is None else image + self.centre(image)

    def loss(
        self,
        prediction: Float[Array, "*batch height width channels"],
        observation: UInt8[Array, "*batch height width channels"],
    ) -> Float[Array, "*batch"]:
        """Return the squared error, summed over pixels and channels."""
        return likelihood.squared_error(prediction, scale_image(observation, prediction.dtype), 3)

    def to_uint8(
        self, prediction: Float[Array, "*batch height width channels"]
    ) -> UInt8[Array, "*batch height width channels"]:
        """Return an image to look at."""
        xp = namespace(prediction)
        return xp.clip(xp.round((prediction + 0.5) * 255), 0, 255).astype(xp.uint8)

    def to_observation(
        self, prediction: Float[Array, "*batch height width channels"]
    ) -> UInt8[Array, "*batch height width channels"]:
        """Return the image as the environment would show it."""
        return self.to_uint8(prediction)

    def seen(self, observation: UInt8[Array, "*batch height width channels"]) -> "ImageDecoder":
        """Return the decoder with its running mean, if it has one, moved by a batch."""
        return with_centre_moved(self, observation)


class VectorDecoder(AbstractDecoder):
    """Vectors by an MLP; squared error against the symlog of the observation."""

    mlp: MLP

    def __init__(self, inputs: int, size: int, width: int, layers: int, *, key: Key):
        self.mlp = MLP(inputs, width, layers, size, key=key)

    def __call__(self, feature: Float[Array, "*batch feature"]) -> Float[Array, "*batch outputs"]:
        """Return the symlog of the vector."""
        return self.mlp(feature)

    def loss(
        self, prediction: Float[Array, "*batch outputs"], observation: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        """Return the squared error in symlog space, summed over the vector."""
        return likelihood.symlog_squared_error(prediction, observation, 1)

    def to_observation(self, prediction: Float[Array, "*batch outputs"]) -> Float[Array, "*batch outputs"]:
        """Return the vector itself."""
        return transforms.symexp(prediction)


class WindowDecoder(AbstractDecoder):
    """Windows of latents by an MLP.

    Scored per latent of the window, either as what they are (`latent`: z by cross-entropy, h by squared
    error) or all alike (`symlog_mse`: squared error against the symlog of both).
    """

    mlp: MLP
    spec: WindowSpec = eqx.field(static=True)
    upper_loss: str = eqx.field(static=True)

    def __init__(self, inputs: int, spec: WindowSpec, width: int, layers: int, upper_loss: str, *, key: Key):
        self.mlp = MLP(inputs, width, layers, spec.size, key=key)
        self.spec = spec
        self.upper_loss = upper_loss

    def __call__(self, feature: Float[Array, "*batch feature"]) -> Window:
        """Return logits of z (with `symlog_mse`: the symlog of its numbers), and h (or its symlog)."""
        flat, spec = self.mlp(feature), self.spec
        split = spec.window * spec.stoch * spec.classes
        lead = flat.shape[:-1]
        return Window(
            flat[..., :split].reshape(*lead, spec.window, spec.stoch, spec.classes),
            flat[..., split:].reshape(*lead, spec.window, spec.deter),
        )

    def loss(self, prediction: Window, observation: Window) -> Float[Array, "*batch"]:
        """Return the loss summed over z and h, averaged over the window."""
        if self.upper_loss == "symlog_mse":
            stoch = likelihood.symlog_squared_error(prediction.stoch, observation.stoch, 3)
            deter = likelihood.symlog_squared_error(prediction.deter, observation.deter, 2)
        else:
            stoch = -categorical.log_prob(prediction.stoch, observation.stoch).sum((-2, -1))
            deter = likelihood.squared_error(prediction.deter, observation.deter, 2)
        return (stoch + deter) / self.spec.window

    def to_observation(self, prediction: Window) -> Window:
        """Return the most likely z, one-hot, and h."""
        plain = self.upper_loss == "latent"
        deter = prediction.deter if plain else transforms.symexp(prediction.deter)
        return Window(categorical.mode(prediction.stoch), deter)


def make_decoder(
    inputs: int, observation: ObservationSpace | WindowSpec, config: WorldModelConfig, *, key: Key
) -> AbstractDecoder:
    """Return the decoder that suits what a level observes."""
    width, layers = config.mlp_width, config.mlp_layers
    if isinstance(observation, WindowSpec):
        return WindowDecoder(inputs, observation, width, layers, config.upper_loss, key=key)
    if observation.kind == "image":
        own: dict[str, Any] = {"centred": config.centre_pictures, "scale": config.picture_scale}
        return ImageDecoder(inputs, observation.shape, config.cnn_depth, **own, key=key)
    return VectorDecoder(inputs, vector_size(observation.shape), width, layers, key=key)
