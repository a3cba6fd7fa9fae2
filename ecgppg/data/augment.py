"""Random views of normalised windows, batched, each a function of (seed, epoch, segment_id, view) alone.

What is changed is what a rhythm does not depend on: where the window starts, how large and how noisy the signals are,
how the baseline wanders, the colour of the spectrum, a short loss of contact. Time is never stretched: rate and
irregularity are what the embedding must keep.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ecgppg.data.counter_rng import CounterRandom, hash_ints

_UNIFORM, _NORMAL = range(2)
_BANDS = 8
_SINES = 3


@dataclass(frozen=True)
class Augmentation:
    """How strongly views differ. Amplitudes are in units of the normalised signal.

    Attributes
    ----------
    crop_samples : int
        Length of a view; both channels are cut at the same place.
    fs_hz : float
        Rate of the windows.
    max_gain : float
        Each channel is multiplied by a factor between 1 / max_gain and max_gain.
    max_noise : float
        Largest standard deviation of added noise.
    max_wander : float
        Largest amplitude of each of three sines between 0.05 and 0.5 Hz.
    spectral_jitter : float
        Standard deviation of the log gain of each of eight frequency bands.
    max_masked_share : float
        Largest share of a channel that is blanked, in one span.
    """

    crop_samples: int
    fs_hz: float
    max_gain: float = 1.5
    max_noise: float = 0.15
    max_wander: float = 0.3
    spectral_jitter: float = 0.2
    max_masked_share: float = 0.15

    @classmethod
    def of_strength(cls, crop_samples: int, fs_hz: float, strength: float) -> "Augmentation":
        """The usual views where `strength` is 1; only crops where it is 0; and all of it so many times as strong.

        No more than half of a channel is ever blanked.
        """
        usual = cls(crop_samples, fs_hz)
        return cls(
            crop_samples, fs_hz, usual.max_gain**strength, usual.max_noise * strength, usual.max_wander * strength,
            usual.spectral_jitter * strength, min(usual.max_masked_share * strength, 0.5),
        )  # fmt: skip

    def view(
        self, z_BCT: Tensor, present_BC: Tensor, segment_id_B: Tensor, *, seed: int, epoch: int, view: int
    ) -> Tensor:
        """One random view of each window.

        Parameters
        ----------
        z_BCT : Tensor, float32
            Normalised windows, T >= crop_samples.
        present_BC : Tensor, float32
            1 where a channel is present; an absent one stays zeros.
        segment_id_B : Tensor, int64
            On the device of `z_BCT`.
        seed, epoch, view : int
            The rest of the key.

        Returns
        -------
        Tensor, float32
            (B, C, crop_samples).
        """
        B, C, _ = z_BCT.shape
        random = CounterRandom(hash_ints(seed, epoch, view, segment_id_B))
        uniform_BU = random.uniform(_UNIFORM, 1 + C * (4 + 3 * _SINES))
        place_B, uniform_BCU = uniform_BU[:, 0], uniform_BU[:, 1:].view(B, C, -1)
        scale_BC1, level_BC1, masked_BC2, wander_BCK = uniform_BCU.split([1, 1, 2, 3 * _SINES], dim=2)
        normal_BN = random.normal(_NORMAL, C * (_BANDS + self.crop_samples))
        log_gain_BCK = normal_BN[:, : C * _BANDS].view(B, C, _BANDS)
        x_BCT = self._filter(self._crop(z_BCT, place_B), scale_BC1, log_gain_BCK)
        # An absent channel gets nothing added.
        present_BC1 = present_BC[..., None]
        self._add_wander(x_BCT, wander_BCK, self.max_wander * present_BC1)
        noise_BCT = normal_BN[:, C * _BANDS :].view(x_BCT.shape)
        x_BCT.addcmul_(noise_BCT, level_BC1 * present_BC1, value=self.max_noise)
        return self._mask(x_BCT, masked_BC2)

    def _crop(self, z_BCT: Tensor, place_B: Tensor) -> Tensor:
        start_B = (place_B * (z_BCT.shape[-1] - self.crop_samples + 1)).to(torch.int64)
        row_B = torch.arange(len(z_BCT), device=z_BCT.device)
        return z_BCT.unfold(2, self.crop_samples, 1)[row_B, :, start_B]

    def _filter(self, x_BCT: Tensor, scale_BC1: Tensor, normal_BCK: Tensor) -> Tensor:
        """Scale each channel, and its frequency bands against each other."""
        n = x_BCT.shape[-1]
        band_KF, way_KF = _bands_of_frequencies(n, self.fs_hz, x_BCT.device)
        log_gain_BCK = self.spectral_jitter * normal_BCK + math.log(self.max_gain) * (2 * scale_BC1 - 1)
        log_gain_BCF = (log_gain_BCK[..., :-1] @ band_KF).add_(log_gain_BCK.diff(dim=2) @ way_KF)
        return torch.fft.irfft(torch.fft.rfft(x_BCT).mul_(log_gain_BCF.exp_()), n=n)

    def _add_wander(self, x_BCT: Tensor, uniform_BCK: Tensor, limit_BC1: Tensor) -> None:
        time_T = torch.arange(x_BCT.shape[-1], device=x_BCT.device, dtype=torch.float32) * (2 * math.pi / self.fs_hz)
        size_BCS, place_BCS, phase_BCS = uniform_BCK.chunk(3, dim=2)
        amplitude_BCS, frequency_BCS, phase_BCS = size_BCS * limit_BC1, 0.05 + 0.45 * place_BCS, math.tau * phase_BCS
        for sine in range(_SINES):
            amplitude_BC1, frequency_BC1, phase_BC1 = (
                of_sines_BCS[..., sine, None] for of_sines_BCS in (amplitude_BCS, frequency_BCS, phase_BCS)
            )
            x_BCT.addcmul_((frequency_BC1 * time_T).add_(phase_BC1).sin_(), amplitude_BC1)

    def _mask(self, x_BCT: Tensor, uniform_BC2: Tensor) -> Tensor:
        T = x_BCT.shape[-1]
        length_BC1 = (uniform_BC2[..., :1] * (self.max_masked_share * T)).floor()
        start_BC1 = (uniform_BC2[..., 1:] * (T - length_BC1 + 1)).floor()
        at_T = torch.arange(T, device=x_BCT.device, dtype=torch.float32)
        from_middle_BCT = (at_T - (start_BC1 + (length_BC1 - 1) / 2)).abs_()
        return x_BCT.mul_(from_middle_BCT.ge_(length_BC1 / 2))


@cache
def _bands_of_frequencies(n: int, fs_hz: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where the frequencies of a spectrum lie between bands an octave wide from 0.5 Hz up: 1 at the band to the left,
    and there the share of the way to the next on the log axis. Products with these pick, and round nothing."""
    frequency_F = torch.arange(n // 2 + 1, device=device) * (fs_hz / n)
    place_F = (torch.log2(frequency_F.clamp(min=0.5)) + 1.0).clamp(0.0, _BANDS - 1.001)
    left_F = place_F.to(torch.int64)
    band_KF = torch.nn.functional.one_hot(left_F, _BANDS - 1).T.to(torch.float32)
    return band_KF, band_KF * (place_F - left_F)
