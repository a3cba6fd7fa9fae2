"""Sizes of the encoder by one word, which fills in only what nobody gave."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import model_validator

from ecgppg.config.keys import SettingsPart, execution

EncoderSize = Literal["small", "base", "large"]
ENCODER_SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "hidden_dims": [16, 32, 64, 128],
        "stem_stride": 8, "blocks_per_stage": 1, "embedding_dim": 128, "batch_size": 128, "learning_rate": 2e-3,
    },
    "base": {
        "hidden_dims": [64, 128, 256, 512],
        "stem_stride": 4, "blocks_per_stage": 2, "embedding_dim": 256, "batch_size": 64, "learning_rate": 3e-4,
    },
    "large": {
        "hidden_dims": [128, 256, 512, 1024],
        "stem_stride": 4, "blocks_per_stage": 2, "embedding_dim": 512, "batch_size": 256, "learning_rate": 3e-4,
    },
}  # fmt: skip
"""What each size means. The settings of base are the defaults."""


class PresetSettings(SettingsPart):
    """One word for several settings."""

    # Never compared by itself: the settings that it fills in are, so the same widths spelled out are the same run.
    encoder_size: EncoderSize = execution(
        "base",
        "small: for a CPU; base; large: fills hidden_dims, stem_stride, blocks_per_stage, embedding_dim, batch_size, "
        "learning_rate if absent",
    )

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        """Values as given, and what their encoder_size says of the rest."""
        if not isinstance(values, Mapping) or values.get("encoder_size") not in get_args(EncoderSize):
            return values
        return {**ENCODER_SIZES[values["encoder_size"]], **values}


def merge_layers(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge layers of settings, later ones winning.

    A layer may be what an earlier run stored, with everything filled in. What there equals its own `encoder_size`
    counts as filled in and not as given, so that a later layer may name another size.

    Parameters
    ----------
    *layers : mapping
        Settings by key, not checked yet.

    Returns
    -------
    dict
        Settings that somebody gave, and those of the size named last.
    """
    merged: dict[str, Any] = {}
    filled: set[str] = set()
    for layer in layers:
        if "encoder_size" in layer:
            for key in filled:
                merged.pop(key, None)
            filled = set()
        filled -= layer.keys()
        filled |= {key for key, value in _size_of(layer).items() if key in layer and layer[key] == value}
        merged.update(layer)
    return merged


def _size_of(layer: Mapping[str, Any]) -> dict[str, Any]:
    size = layer.get("encoder_size")
    return ENCODER_SIZES.get(size, {}) if isinstance(size, str) else {}
