"""One step: two views of a batch through encoder and projector, the loss, the clipped update."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ecgppg.config.settings import Settings
from ecgppg.data.augment import Augmentation
from ecgppg.data.dataset import SegmentBatch
from ecgppg.data.normalise import robust_zscore
from ecgppg.models.projector import Projector
from ecgppg.models.registry import build_encoder
from ecgppg.objectives.contrastive import NTXent

VALIDATION_EPOCH = -1
"""Epoch in the key of validation views: the same views each time, so that losses of epochs can be compared."""


@dataclass(frozen=True)
class TwoViews:
    """What the encoder and the projector make of two views of a batch."""

    embedding_BD: Tensor
    a_BP: Tensor
    b_BP: Tensor
    loss: Tensor


@dataclass(frozen=True)
class StepResult:
    """Loss and gradient norm of a step; `taken` is False where either was not finite and nothing was changed."""

    loss: float
    grad_norm: float
    taken: bool


def encoder_config(settings: Settings) -> dict[str, object]:
    """Description from which `models.registry.build_encoder` builds the encoder."""
    return {
        "name": "resnet1d",
        "n_channels": len(settings.channels),
        "hidden_dims": list(settings.hidden_dims),
        "embedding_dim": settings.embedding_dim,
    }


def build_model(settings: Settings) -> nn.ModuleDict:
    """Encoder and projector with weights drawn from the seed; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        encoder = build_encoder(encoder_config(settings))
        return nn.ModuleDict(
            {"encoder": encoder, "projector": Projector(settings.embedding_dim, settings.projection_dim)}
        )


def build_optimizer(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW; weight decay spares biases and norms, whose size is no complexity."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


class ContrastiveStep:
    """The objective applied to a batch, for training and for validation.

    Parameters
    ----------
    model : ModuleDict
        `encoder` and `projector`, on `device`.
    settings : Settings
        temperature, crop_seconds, sampling_rate_hz, seed, max_grad_norm.
    device : torch.device
    bf16 : bool
        Run the network under bfloat16 autocast.
    """

    def __init__(self, model: nn.ModuleDict, settings: Settings, device: torch.device, bf16: bool) -> None:
        self.model, self.device, self.bf16 = model, device, bf16
        self.seed, self.max_grad_norm = settings.seed, settings.max_grad_norm
        self.objective = NTXent(settings.temperature)
        self.augmentation = Augmentation(
            crop_samples=round(settings.crop_seconds * settings.sampling_rate_hz), fs_hz=settings.sampling_rate_hz
        )

    def two_views(self, batch: SegmentBatch, epoch: int) -> TwoViews:
        """Forward pass on the two views that belong to `epoch`."""
        batch = batch.to(self.device)
        z_BCT, present_BC = robust_zscore(batch.x_BCT)
        views = [
            self.augmentation.view(z_BCT, present_BC, batch.segment_id_B, seed=self.seed, epoch=epoch, view=view)
            for view in (0, 1)
        ]
        with self._autocast():
            # Nothing in the network mixes windows, so both views go through at once.
            embedding_MD = self.model["encoder"](torch.cat(views), torch.cat([present_BC, present_BC]))
            a_BP, b_BP = self.model["projector"](embedding_MD).chunk(2)
        # Other windows of the same patient stay negatives: without them, knowing the patient is enough to solve the
        # task (on BIDMC a probe then named unseen patients more often and read RR irregularity worse).
        return TwoViews(embedding_MD[: len(a_BP)].float(), a_BP, b_BP, self.objective(a_BP, b_BP))

    def train(self, batch: SegmentBatch, epoch: int, optimizer: torch.optim.Optimizer, rate: float) -> StepResult:
        """Update the weights once, unless loss or gradient is not finite."""
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = self.two_views(batch, epoch).loss
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_grad_norm))
        value = float(loss.detach())
        taken = abs(value) < float("inf") and abs(norm) < float("inf")
        if taken:
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return StepResult(value, norm, taken)

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(device_type=self.device.type, dtype=torch.bfloat16, enabled=self.bf16)
