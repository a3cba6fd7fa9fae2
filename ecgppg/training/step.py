"""One step: a batch as the network is to see it, the loss, the clipped update."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn

from ecgppg.config.settings import Settings
from ecgppg.data.dataset import SegmentBatch
from ecgppg.models.beat_head import BeatHead
from ecgppg.models.projector import Projector
from ecgppg.models.registry import build_encoder
from ecgppg.objectives.gather import AllRanks, Gather, OneProcess
from ecgppg.objectives.temperature import Temperature
from ecgppg.training.beat_rows import n_measures
from ecgppg.training.distributed import ONE_RANK, Ranks
from ecgppg.training.inputs import InputMaker
from ecgppg.training.network import ObjectiveNetwork, Outcome

VALIDATION_EPOCH = -1
"""Epoch in the key of validation views: the same views each time, so that losses of epochs can be compared."""


@dataclass(frozen=True)
class StepResult:
    """Loss and gradient norm of a step; `taken` is False where either was not finite and nothing was changed."""

    loss: float
    grad_norm: float
    taken: bool


def encoder_config(settings: Settings) -> dict[str, object]:
    """Description from which `models.registry.build_encoder` builds the encoder."""
    return {
        "name": settings.encoder_name,
        "n_channels": len(settings.channels),
        "hidden_dims": list(settings.hidden_dims),
        "blocks_per_stage": settings.blocks_per_stage,
        "stem_stride": settings.stem_stride,
        "embedding_dim": settings.embedding_dim,
        "rhythm": settings.rhythm_branch,
        "beats_hz": settings.sampling_rate_hz if settings.beat_branch else None,
    }


def build_model(settings: Settings) -> nn.ModuleDict:
    """Encoder, projector and what else the objective needs, with weights drawn from the seed.

    torch's own generator is left as it was. The encoder's weights do not depend on the objective.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        parts: dict[str, nn.Module] = {"encoder": build_encoder(encoder_config(settings))}
        parts["projector"] = Projector(settings.embedding_dim, settings.projection_dim)
        if settings.learnable_temperature:
            parts["temperature"] = Temperature(settings.temperature, True, settings.temperature_floor)
        if settings.objective_beats > 0:
            parts["beat_head"] = BeatHead(settings.embedding_dim, n_measures(settings))
        return nn.ModuleDict(parts)


def build_optimizer(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW; weight decay spares biases, norms and the temperature, whose size is no complexity."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    # Fused, since a small encoder has a hundred tensors, and a step of each by itself took 5 % of the time.
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


class ContrastiveStep:
    """The objective applied to a batch, for training and for validation.

    Parameters
    ----------
    model : ModuleDict
        Of `build_model`, on `device`.
    settings : Settings
        Those of the objective, crop_seconds, sampling_rate_hz, channels, seed, max_grad_norm.
    device : torch.device
    bf16 : bool
        Run the network under bfloat16 autocast.
    ranks : Ranks
        The processes that train together: negatives are those of all of them, and gradients their mean. Validation is
        of what is here alone.
    """

    def __init__(
        self,
        model: nn.ModuleDict,
        settings: Settings,
        device: torch.device,
        bf16: bool,
        ranks: Ranks = ONE_RANK,
    ) -> None:
        self.model, self.settings, self.device, self.bf16 = model, settings, device, bf16
        self.ranks = ranks
        self.gather: Gather = AllRanks() if ranks.world > 1 else OneProcess()
        self.inputs = InputMaker(settings)
        self.network = ObjectiveNetwork(model, settings)

    def outcome(self, batch: SegmentBatch, epoch: int) -> Outcome:
        """Loss on the views that belong to `epoch`; in validation with both views of every window, and alone."""
        training = self.model.training
        inputs = self.inputs.make(batch.to(self.device), epoch, measured=not training)
        with self._autocast():
            return self.network(inputs, self.gather if training else OneProcess())

    def train(self, batch: SegmentBatch, epoch: int, optimizer: torch.optim.Optimizer, rate: float) -> StepResult:
        """Update the weights once, unless loss or gradient is not finite."""
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = self.outcome(batch, epoch).loss
        loss.backward()
        self.ranks.average_gradients(self.model.parameters())
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm))
        # Of all ranks, so that all take the step or none does.
        value = float(self.gather.mean(loss))
        taken = abs(value) < float("inf") and abs(norm) < float("inf")
        if taken:
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return StepResult(value, norm, taken)

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(device_type=self.device.type, dtype=torch.bfloat16, enabled=self.bf16)
