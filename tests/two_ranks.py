"""Objectives on two processes that exchange by gloo, for tests that hold them against one process over all rows."""

from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ecgppg.config.settings import Settings
from ecgppg.data.dataset import SegmentBatch
from ecgppg.objectives.beats import beat_loss, beat_targets
from ecgppg.objectives.contrastive import cross_modal, nt_xent
from ecgppg.objectives.gather import AllRanks, Gather, OneProcess
from ecgppg.objectives.temperature import Temperature
from ecgppg.training.step import ContrastiveStep, build_model
from tests.small_dataset import PLAIN

N, P = 9, 6
SHARES = {"unequal": (slice(0, 6), slice(6, 9)), "all on the second": (slice(0, 0), slice(0, 9))}
TERMS = ("views", "near", "ecg_ppg", "beats", "nobody")

BASE: dict[str, object] = {
    "batch_size": 8, "hidden_dims": [8, 8], "embedding_dim": 8, "projection_dim": 6, "crop_seconds": 2,
    "learnable_temperature": True, "same_patient_negatives": False, "objective_beats": 0.0,
    **PLAIN,
}  # fmt: skip
NETWORKS: dict[str, dict[str, object]] = {
    "views alone": {},
    "near alone": {"objective_views": 0.0, "objective_near": 1.0},
    "ECG against PPG alone": {"objective_views": 0.0, "objective_ecg_ppg": 1.0},
    "beats alone": {"objective_views": 0.0, "objective_beats": 1.0},
    "measures of the beats alone, read from beats": {
        "objective_views": 0.0, "objective_beats": 1.0, "beat_targets": "shape", "beat_branch": True,
    },
    "all, same patient too": {
        "objective_near": 0.3, "objective_ecg_ppg": 0.5, "objective_beats": 0.2, "same_patient_negatives": True,
    },
    "all, two towers": {
        "objective_near": 0.3, "objective_ecg_ppg": 0.5, "objective_beats": 0.2, "encoder_name": "two_towers",
    },
}  # fmt: skip


def term_of(name: str, rows: slice, gather: Gather) -> dict[str, Tensor]:
    """Loss of some of the rows of a fixed problem, and its gradient with respect to them and the temperature."""
    generator = torch.Generator().manual_seed(0)
    a_NP, b_NP = (torch.randn(N, P, generator=generator)[rows].requires_grad_() for _ in range(2))
    group_N, partner_N = (torch.tensor(g)[rows] for g in ([0, 1, 1, 2, 0, 3, 4, 4, 1], [1, 4, 4, 3, 0, 2, 1, 1, 0]))
    temperature = Temperature(0.2, True, 0.05)
    if name == "beats":
        beats_N2 = torch.rand(N, 2, generator=generator) * torch.tensor([100.0, 0.5]) + torch.tensor([40.0, 0.0])
        beats_N2[[1, 6]] = float("nan")
        loss = beat_loss(a_NP[:, :2] + b_NP[:, :2], *beat_targets(beats_N2[rows]), gather)
    elif name == "near":
        loss = nt_xent(a_NP, b_NP, temperature(), group_N, partner_N, gather)
    elif name == "nobody":
        loss = cross_modal(a_NP[:0], b_NP[:0], temperature(), group_N[:0], gather)
    else:
        term = {"views": nt_xent, "ecg_ppg": cross_modal}[name]
        loss = term(a_NP, b_NP, temperature(), group_N, gather=gather)
    loss.backward()
    empty = torch.zeros(())
    gradients = [empty if p.grad is None else p.grad for p in temperature.parameters()]
    return {"loss": loss.detach(), "a": a_NP.grad, "b": b_NP.grad, "temperature": gradients[0]}


def whole_batch() -> SegmentBatch:
    """Eight windows and the partners of five of them; two have ECG alone, the last four have no PPG at all."""
    generator = torch.Generator().manual_seed(1)
    x_BCT = torch.randn(13, 2, 400, generator=generator)
    x_BCT[[1, 4, 5, 6, 7, 11, 12], 1] = 0
    x_BCT[2, 0] = 0
    beats_B2 = torch.rand(13, 2, generator=generator) * torch.tensor([100.0, 0.5]) + torch.tensor([40.0, 0.0])
    beats_B2[3] = float("nan")
    subject_B = torch.tensor([0, 0, 1, 2, 3, 0, 1, 4, 0, 1, 2, 3, 0])
    return SegmentBatch(x_BCT, torch.arange(13) + 100, subject_B, beats_B2, torch.tensor([0, 2, 3, 4, 5]))


def share_of(batch: SegmentBatch, windows: slice) -> SegmentBatch:
    """Some of the windows of a batch, and their partners."""
    assert batch.anchor_K is not None
    B = batch.n_anchors
    start, stop, _ = windows.indices(B)
    own_K = (batch.anchor_K >= start) & (batch.anchor_K < stop)
    rows = torch.cat([torch.arange(start, stop), B + own_K.nonzero().squeeze(1)])
    return replace(
        batch,
        x_BCT=batch.x_BCT[rows], segment_id_B=batch.segment_id_B[rows], subject_id_B=batch.subject_id_B[rows],
        beats_B2=batch.beats_B2[rows], anchor_K=batch.anchor_K[own_K] - start,
    )  # fmt: skip


class _Wrapped(ContrastiveStep):
    """Gradients averaged by torch's own wrapper, with the objective as it is."""

    def __init__(self, model: nn.ModuleDict, settings: Settings) -> None:
        super().__init__(model, settings, torch.device("cpu"), bf16=False)
        self.gather: Gather = AllRanks()
        self.wrapped = DistributedDataParallel(self.network)

    def backward(self, batch: SegmentBatch) -> Tensor:
        inputs = self.inputs.make(batch, 0, measured=False)
        loss = self.wrapped(inputs, self.gather).loss
        loss.backward()
        return self.gather.mean(loss)


def network_of(name: str, batch: SegmentBatch, wrapped: bool) -> dict[str, Tensor]:
    """Loss of a batch, and the gradient of every weight of a small network."""
    settings = Settings(**{**BASE, **NETWORKS[name]})
    model = build_model(settings)
    if wrapped:
        loss = _Wrapped(model, settings).backward(batch)
    else:
        step = ContrastiveStep(model, settings, torch.device("cpu"), bf16=False)
        loss = step.outcome(batch, 0).loss
        loss.backward()
    return {"loss": loss.detach()} | {key: p.grad for key, p in model.named_parameters() if p.grad is not None}


def work(rank: int, folder: Path) -> None:
    """What each of the two processes does: every term on its share, every network on its half; results to a file."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    results = {}
    for share, rows in SHARES.items():
        for name in TERMS:
            results[f"{name}, {share}"] = term_of(name, rows[rank], AllRanks())
    halves = (slice(0, 4), slice(4, 8))
    for name in NETWORKS:
        results[name] = network_of(name, share_of(whole_batch(), halves[rank]), wrapped=True)
    torch.save(results, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def alone() -> dict[str, dict[str, Tensor]]:
    """The same on one process over all rows."""
    results = {name: term_of(name, slice(0, N), OneProcess()) for name in TERMS}
    return results | {name: network_of(name, whole_batch(), wrapped=False) for name in NETWORKS}
