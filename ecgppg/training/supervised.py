"""A network of the encoder's size taught with labels: what the encoder without labels is measured against.

The encoder's own architecture with one linear unit behind it sees one augmented view of each window, whose target is
that of its record. A record's score is the mean over its whole windows. The epoch is chosen on patients set aside.

Shapes: N windows, B windows of a batch.

References
----------
.. [1] Kumar, Raghunathan, Jones, Ma, Liang (2022). Fine-tuning can distort pretrained features and underperform
   out-of-distribution. ICLR.
"""

import copy
import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecgppg.core.memory import keep_freed_memory
from ecgppg.data.augment import Augmentation
from ecgppg.data.dataset import SplitWindows
from ecgppg.data.normalise import robust_zscore
from ecgppg.data.sampler import epoch_batches, ordered_batches
from ecgppg.models.registry import build_encoder
from ecgppg.training.schedule import Schedule

PREDICT_BATCH = 256
MAX_GRAD_NORM = 1.0
_log = logging.getLogger("ecgppg.evaluate")


@dataclass(frozen=True)
class SupervisedPlan:
    """How the network is built and taught.

    Attributes
    ----------
    encoder : dict
        Description of the encoder, as `models.registry.build_encoder` takes it.
    crop_samples : int
        Length of an augmented view.
    fs_hz : float
        Rate of the windows.
    steps : int
        Updates in all; whole epochs of them are judged where there are windows for validation.
    batch_size, learning_rate, weight_decay, warmup_share
        AdamW with warm-up and cosine.
    seed : int
        Of the weights, of the order and of the views.
    regression : bool
        Targets are numbers (squared error) and not 0 or 1 (cross-entropy, both classes of the same weight).
    dropout : float
        Share of the embedding that is blanked at each step, before the last unit.
    augmentation_strength : float
        See `Augmentation.of_strength`.
    head_first : float
        Share of the steps in which the last unit alone learns [1]_. Weights that are fresh on top of an encoder that
        is not would spoil it before they know anything.
    encoder_rate : float
        The encoder's learning rate as a share of the last unit's.
    epochs : int or None
        Passes after which it ends, though the schedule goes on to `steps`: as many as were found best on others.
    """

    encoder: dict[str, Any]
    crop_samples: int
    fs_hz: float
    steps: int
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.05
    seed: int = 0
    regression: bool = False
    dropout: float = 0.0
    augmentation_strength: float = 1.0
    head_first: float = 0.0
    encoder_rate: float = 1.0
    epochs: int | None = None


class SupervisedNetwork(nn.Module):
    """Encoder and one linear unit.

    Parameters
    ----------
    encoder_config : dict
        As `models.registry.build_encoder` takes it.
    seed : int
        Of the fresh weights; torch's own generator is left as it was.
    dropout : float
        See `SupervisedPlan`.
    """

    def __init__(self, encoder_config: dict[str, Any], seed: int, dropout: float = 0.0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = build_encoder(encoder_config)
            self.head = nn.Linear(int(encoder_config["embedding_dim"]), 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, z_BCT: Tensor, present_BC: Tensor, encoder_learns: bool = True) -> Tensor:
        """(B,) logits, or values of standardised targets; the encoder gets a gradient if it learns."""
        with torch.set_grad_enabled(encoder_learns and torch.is_grad_enabled()):
            e_BD = self.encoder(z_BCT, present_BC)
        return self.head(self.dropout(e_BD)).squeeze(-1)


@dataclass(frozen=True)
class Taught:
    """A network taught, and what scales its output back.

    Attributes
    ----------
    network : SupervisedNetwork
        With the chosen weights, in evaluation mode.
    centre, spread : float
        Prediction = centre + spread * output; 0 and 1 for logits.
    epoch : int
        The epoch chosen, from 1.
    """

    network: SupervisedNetwork
    centre: float
    spread: float
    epoch: int

    def predict(self, windows: SplitWindows) -> np.ndarray:
        """Logit, or predicted number, of each whole window, float64 (N,)."""
        out = [
            _whole(self.network, windows.read(positions).x_BCT)
            for positions in ordered_batches(len(windows), PREDICT_BATCH)
        ]
        return self.centre + self.spread * np.concatenate([np.empty(0), *out])


def teach(
    windows: SplitWindows,
    target_N: np.ndarray,
    plan: SupervisedPlan,
    val: tuple[SplitWindows, np.ndarray] | None = None,
    device: torch.device | None = None,
    initial: dict[str, Tensor] | None = None,
) -> Taught:
    """Teach a network.

    Parameters
    ----------
    windows : SplitWindows
        Windows to learn from.
    target_N : ndarray
        Target of each: 0 or 1, or a number with `plan.regression`.
    plan : SupervisedPlan
    val : (SplitWindows, ndarray), optional
        Windows of other patients and their targets: the epoch with the least loss over them is kept. Without them the
        last weights are.
    device : torch.device, optional
        Default: the CPU.
    initial : dict, optional
        Weights that the encoder starts from, instead of fresh ones.

    Returns
    -------
    Taught
        A function of the arguments: the same on the same machine, however often it is called.
    """
    device = device or torch.device("cpu")
    keep_freed_memory()
    network = SupervisedNetwork(plan.encoder, plan.seed, plan.dropout).to(device)
    if initial is not None:
        network.encoder.load_state_dict(initial)
    objective = _Objective(np.asarray(target_N, np.float64), plan.regression)
    augmentation = Augmentation.of_strength(plan.crop_samples, plan.fs_hz, plan.augmentation_strength)
    optimizer = _optimizer(network, plan)
    schedule = Schedule(plan.learning_rate, plan.steps, plan.warmup_share)
    batch_size = min(plan.batch_size, len(windows))
    best_loss, best_epoch, best = math.inf, 0, network.state_dict()
    step, epoch = 0, 0
    # What is blanked is drawn from torch's own generator, which is left as it was.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(plan.seed)
        while step < plan.steps and epoch != plan.epochs:
            for positions in epoch_batches(len(windows), batch_size, plan.seed, epoch)[: plan.steps - step]:
                batch = windows.read(positions).to(device)
                z_BCT, present_BC = robust_zscore(batch.x_BCT)
                view_BCT = augmentation.view(z_BCT, present_BC, batch.segment_id_B, seed=plan.seed, epoch=epoch, view=0)
                learns = step >= plan.head_first * plan.steps
                loss = objective(network(view_BCT, present_BC, learns), target_N[positions])
                for group in optimizer.param_groups:
                    group["lr"] = schedule.rate(step) * group["share"]
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRAD_NORM)
                optimizer.step()
                step += 1
            epoch += 1
            if val is not None:
                loss_now = _loss_on(network, objective, *val)
                if loss_now < best_loss:
                    best_loss, best_epoch, best = loss_now, epoch, copy.deepcopy(network.state_dict())
    if val is None:
        best_epoch = epoch
    else:
        network.load_state_dict(best)
    return Taught(network.eval(), objective.centre, objective.spread, best_epoch)


class _Objective:
    """Balanced cross-entropy, or squared error of standardised targets; both classes or the spread as in training."""

    def __init__(self, target_N: np.ndarray, regression: bool) -> None:
        self.regression = regression
        self.centre, self.spread = 0.0, 1.0
        if regression:
            self.centre, self.spread = float(target_N.mean()), float(target_N.std()) or 1.0
        share = float(np.clip(target_N.mean(), 1e-6, 1 - 1e-6)) if not regression else 0.5
        self.weight_of = {0: 0.5 / (1 - share), 1: 0.5 / share}

    def __call__(self, output_B: Tensor, target_B: np.ndarray) -> Tensor:
        """Mean loss of a batch."""
        if self.regression:
            wanted_B = torch.as_tensor((target_B - self.centre) / self.spread, dtype=torch.float32)
            return nn.functional.mse_loss(output_B, wanted_B.to(output_B.device))
        weight_B = np.where(np.asarray(target_B) == 1, self.weight_of[1], self.weight_of[0])
        return nn.functional.binary_cross_entropy_with_logits(
            output_B,
            torch.as_tensor(target_B, dtype=torch.float32).to(output_B.device),
            torch.as_tensor(weight_B, dtype=torch.float32).to(output_B.device),
        )


def _optimizer(network: SupervisedNetwork, plan: SupervisedPlan) -> torch.optim.AdamW:
    groups = []
    for part, share in ((network.encoder, plan.encoder_rate), (network.head, 1.0)):
        matrices, vectors = ([p for p in part.parameters() if (p.ndim > 1) is many] for many in (True, False))
        groups.append({"params": matrices, "weight_decay": plan.weight_decay, "share": share})
        groups.append({"params": vectors, "weight_decay": 0.0, "share": share})
    return torch.optim.AdamW(groups, lr=plan.learning_rate, fused=True)


def _loss_on(network: SupervisedNetwork, objective: _Objective, windows: SplitWindows, target_N: np.ndarray) -> float:
    """Mean loss over whole windows of other patients."""
    network.eval()
    total = 0.0
    for positions in ordered_batches(len(windows), PREDICT_BATCH):
        output_B = torch.as_tensor(_whole(network, windows.read(positions).x_BCT))
        total += float(objective(output_B.float(), target_N[positions])) * len(positions)
    network.train()
    return total / len(windows)


def _whole(network: SupervisedNetwork, x_BCT: Tensor) -> np.ndarray:
    """Output for whole windows, unaugmented."""
    device = next(network.parameters()).device
    with torch.no_grad():
        return network(*robust_zscore(x_BCT.to(device))).double().cpu().numpy()
