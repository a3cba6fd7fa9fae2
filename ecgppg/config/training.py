"""Settings of the encoder and its training."""

from typing import Annotated, Literal

from pydantic import Field

from ecgppg.config.keys import SettingsPart, content, execution, growth

Width = Annotated[int, Field(ge=1, le=8192)]


class TrainingSettings(SettingsPart):
    """Encoder, objective, optimiser, checkpoints."""

    batch_size: int = content("train", 64, "segments per step", ge=2, le=65536)
    learning_rate: float = content("train", 3e-4, "peak of the schedule", gt=0, lt=1)
    weight_decay: float = content("train", 0.01, "AdamW weight decay", ge=0, lt=1)
    warmup_share: float = content("train", 0.05, "share of all steps spent warming up", ge=0, lt=1)
    num_epochs: int = growth(50, "passes over the training windows", ge=1)
    hidden_dims: list[Width] = content(
        "train", [64, 128, 256, 512], "channels of each stage", min_length=1, max_length=16
    )
    stem_stride: int = content(
        "train", 4, "samples from one place of the first layer's output to the next", ge=1, le=15
    )
    blocks_per_stage: int = content("train", 2, "residual blocks of each stage", ge=1, le=16)
    embedding_dim: int = content("train", 256, "length of an embedding", ge=2, le=8192)
    projection_dim: int = content("train", 128, "length of the projection the loss sees", ge=2, le=8192)
    max_grad_norm: float = content("train", 1.0, "gradient norm is clipped to this", gt=0)
    crop_seconds: float = content("train", 8.0, "length of an augmented view, s", ge=1)
    augmentation_strength: float = content(
        "train", 1.0, "how much views are distorted; 1: as usual, 0: only cropped", ge=0, le=5
    )
    early_stopping_epochs: int | None = growth(
        None, "stop once this many epochs brought no lower validation loss; null: never", ge=1
    )
    max_skipped_steps: int = execution(20, "steps in a row that may be skipped as not finite before it stops", ge=1)
    checkpoint_every: int = execution(10, "epochs between kept checkpoints", ge=1)
    keep_last: int | None = execution(None, "kept checkpoints that stay, the newest; null: all", ge=1)
    checkpoint_minutes: float = execution(10.0, "minutes between saves of the newest state", ge=0, le=1440)
    precision: Literal["auto", "float32", "bf16"] = content("train", "auto", "auto: bf16 autocast where supported")
    loader_workers: int = execution(0, "processes that read batches; 0: this one", ge=0, le=64)
