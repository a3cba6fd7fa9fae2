"""What the network is shown of a batch: augmented views, whole and of one channel, and what identifies them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgppg.config.settings import Settings
from ecgppg.data.augment import Augmentation
from ecgppg.data.dataset import SegmentBatch
from ecgppg.data.normalise import robust_zscore
from ecgppg.training.beat_rows import measured_beats

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
    target_FS, known_FS : Tensor, float32 and bool
        Measures of the beats for the rows of the first three sections, and which are known; without columns where
        no term asks for them.
    """

    z_RCT: Tensor
    present_RC: Tensor
    sections: tuple[int, int, int, int, int]
    group_B: Tensor
    group_K: Tensor
    anchor_K: Tensor
    both_J: Tensor
    target_FS: Tensor
    known_FS: Tensor


class InputMaker:
    """Makes the rows that the terms of positive weight need, and no others.

    Parameters
    ----------
    settings : Settings
        Weights, crop_seconds, augmentation_strength, sampling_rate_hz, channels, seed, same_patient_negatives.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        crop_samples = round(settings.crop_seconds * settings.sampling_rate_hz)
        self.augmentation = Augmentation.of_strength(
            crop_samples, settings.sampling_rate_hz, settings.augmentation_strength
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
        anchor_K = batch.anchor_K if wants.objective_near > 0 else None
        anchor_K = torch.zeros(0, dtype=torch.int64, device=z_BCT.device) if anchor_K is None else anchor_K
        windows, partners = slice(0, B), slice(B, B + len(anchor_K))

        def view(rows: slice, number: int) -> Tensor:
            ids = batch.segment_id_B[rows]
            return self.augmentation.view(z_BCT[rows], present_BC[rows], ids, seed=wants.seed, epoch=epoch, view=number)

        pair = measured or wants.objective_views > 0
        crossed = wants.objective_ecg_ppg > 0
        shows_first = pair or wants.objective_beats > 0 or len(anchor_K) > 0
        nothing = z_BCT[:0, :, : self.augmentation.crop_samples]
        first = view(windows, 0) if shows_first or crossed else nothing
        second = view(windows, 1) if pair or crossed else nothing
        whole = [
            (first, present_BC[windows]) if shows_first else (nothing, present_BC[:0]),
            (second, present_BC[windows]) if pair else (nothing, present_BC[:0]),
            (view(partners, PARTNER_VIEW), present_BC[partners]) if len(anchor_K) else (nothing, present_BC[:0]),
        ]
        both_J, single = self._single_channels(first, second, present_BC[windows]) if crossed else (anchor_K[:0], [])
        parts = whole + (single or [(nothing, present_BC[:0])] * 2)
        n_first, n_second, n_partners, n_ecg, n_ppg = (len(z) for z, _ in parts)
        target_BS, known_BS = measured_beats(batch, z_BCT, present_BC, wants)
        return StepInputs(
            z_RCT=torch.cat([z for z, _ in parts]),
            present_RC=torch.cat([present for _, present in parts]),
            sections=(n_first, n_second, n_partners, n_ecg, n_ppg),
            group_B=group_B[windows],
            group_K=group_B[partners],
            anchor_K=anchor_K,
            both_J=both_J,
            target_FS=torch.cat([target_BS[:n_first], target_BS[:n_second], target_BS[partners]]),
            known_FS=torch.cat([known_BS[:n_first], known_BS[:n_second], known_BS[partners]]),
        )

    def _single_channels(
        self, first_BCT: Tensor, second_BCT: Tensor, present_BC: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Which windows have both channels; their ECG alone, of the first view, and their PPG alone, of the second.

        Of different views: both are cropped apart, by more than the channels may be shifted to each other.
        """
        ecg, ppg = (self.settings.channels.index(name) for name in ("ECG", "PPG"))
        both_J = (present_BC[:, ecg] * present_BC[:, ppg]).nonzero().squeeze(1)
        single = []
        for view_BCT, channel in ((first_BCT, ecg), (second_BCT, ppg)):
            only_C = torch.zeros_like(present_BC[0])
            only_C[channel] = 1
            single.append((view_BCT[both_J] * only_C[:, None], only_C.expand(len(both_J), -1)))
        return both_J, single
