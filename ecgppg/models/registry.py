"""Encoders by name, so that a saved description is enough to build one again."""

from collections.abc import Callable
from typing import Any

from torch import nn

from ecgppg.config.errors import ConfigError
from ecgppg.models.resnet1d import ResNet1d
from ecgppg.models.two_towers import TwoTowers

ENCODERS: dict[str, Callable[..., nn.Module]] = {"resnet1d": ResNet1d, "two_towers": TwoTowers}


def build_encoder(config: dict[str, Any]) -> nn.Module:
    """Build an encoder, with fresh weights drawn from torch's generator.

    Parameters
    ----------
    config : dict
        `name`, one of `ENCODERS`, and the arguments of that class.

    Raises
    ------
    ConfigError
        For an unknown name, or arguments that the encoder cannot take.
    """
    arguments = dict(config)
    name = arguments.pop("name", None)
    if name not in ENCODERS:
        raise ConfigError(f"encoder {name!r} is unknown; known: {', '.join(ENCODERS)}")
    try:
        return ENCODERS[name](**arguments)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        raise ConfigError(f"encoder {name}: {error}") from error
