"""What the network is shown of a batch: augmented views, whole and of one channel, and what identifies them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgppg.config.settings import Settings
from ecgppg.data.augment import Augmentation
from ecgppg.data.dataset import SegmentBatch
from ecgppg.data.normalise import robust_zscore

PARTNER_VIEW = 2
"""A partner that is also a window of the batch is so seen in a view of its own."""


@dataclass(frozen=True)
class StepInputs:
    """Rows for the encoder, in sections that follow each other, any of them empty.

    B windows of the batch, K partners, J windows that have both channels.

    Attributes
    ----------
    z_RCT, present_RC : Tensor, float32
        Rows, and which channels each may show.
    sections : tuple of int
        Rows of: first views (B or 0), second views (B or 0), partners (K), ECG alone (J), PPG alone (J).
    group_B, group_K : Tensor, int64
        Rows of equal group are never each other's negatives: of the windows and of the partners.
    anchor_K, both_J : Tensor, int64
        The window that each partner belongs to; the windows that have both channels.
    beats_F2 : Tensor, float32
        heart_rate_bpm and rr_cv of the rows of the first three sections.
    """

    z_RCT: Tensor
    present_RC: Tensor
    sections: tuple[int, int, int, int, int]
    group_B: Tensor
    group_K: Tensor
    anchor_K: Tensor
    both_J: Tensor
    beats_F2: Tensor


class InputMaker:
    """Makes the rows that the terms of positive weight need, and no others.

    Parameters
    ----------
    settings : Settings
        Weights, crop_seconds, sampling_rate_hz, channels, seed, same_patient_negatives.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.augmentation = Augmentation(
            crop_samples=round(settings.crop_seconds * settings.sampling_rate_hz), fs_hz=settings.sampling_rate_hz
        )

    def make(self, batch: SegmentBatch, epoch: int, measured: bool) -> StepInputs:
        """Rows of a batch on its device.

        Parameters
        ----------
        batch : SegmentBatch
        epoch : int
            Part of the key of every view.
        measured : bool
            Make both views of every window whatever the weights, for measures of the embedding.
        """
        wants, B = self.settings, batch.n_anchors
        z_BCT, present_BC = robust_zscore(batch.x_BCT)
        group_B = batch.segment_id_B if wants.same_patient_negatives else batch.subject_id_B
        none = torch.zeros(0, dtype=torch.int64, device=z_BCT.device)
        near = wants.objective_near > 0 and batch.anchor_K is not None

        def view(rows: slice, number: int) -> Tensor:
            ids_R = batch.segment_id_B[rows]
            return self.augmentation.view(
                z_BCT[rows], present_BC[rows], ids_R, seed=wants.seed, epoch=epoch, view=number
            )

        windows, partners = slice(0, B), slice(B, len(z_BCT) if near else B)
        whole_first = measured or wants.objective_views > 0 or near or wants.objective_beats > 0
        whole_second = measured or wants.objective_views > 0
        crossed = wants.objective_ecg_ppg > 0
        first = view(windows, 0) if whole_first or crossed else z_BCT[:0]
        second = view(windows, 1) if whole_second or crossed else z_BCT[:0]
        rows: list[Tensor] = [first[: B * whole_first], second[: B * whole_second]]
        presence = [present_BC[: B * whole_first], present_BC[: B * whole_second]]
        if near:
            rows.append(view(partners, PARTNER_VIEW))
            presence.append(present_BC[partners])
        whole_sizes = [len(part) for part in rows] + [0] * (3 - len(rows))
        both_J = none
        if crossed:
            ecg, ppg = wants.channels.index("ECG"), wants.channels.index("PPG")
            both_J = (present_BC[:B, ecg] * present_BC[:B, ppg]).nonzero().squeeze(1)
            # Of different views: both are cropped apart, by more than the channels may be shifted to each other.
            for source, channel in ((first, ecg), (second, ppg)):
                only_C = torch.zeros_like(present_BC[0])
                only_C[channel] = 1
                rows.append(source[both_J] * only_C[:, None])
                presence.append(only_C.expand(len(both_J), -1))
        return StepInputs(
            z_RCT=torch.cat(rows),
            present_RC=torch.cat(presence),
            sections=(whole_sizes[0], whole_sizes[1], whole_sizes[2], len(both_J), len(both_J)),
            group_B=group_B[:B],
            group_K=group_B[partners],
            anchor_K=batch.anchor_K if near and batch.anchor_K is not None else none,
            both_J=both_J,
            beats_F2=torch.cat(
                [batch.beats_B2[: whole_sizes[0]], batch.beats_B2[: whole_sizes[1]], batch.beats_B2[partners]]
            ),
        )
