"""Random views of normalised windows, batched, each a function of (seed, epoch, segment_id, view) alone.

What is changed is what a rhythm does not depend on: where the window starts, how large and how noisy the signals are,
how the baseline wanders, the colour of the spectrum, a short loss of contact. Time is never stretched: rate and
irregularity are what the embedding must keep.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ecgppg.data.counter_rng import CounterRandom, hash_ints

_CROP, _SCALE, _NOISE_LEVEL, _NOISE, _WANDER, _SPECTRUM, _MASK = range(7)


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
        random = CounterRandom(hash_ints(segment_id_B, seed, epoch, view))
        x_BCT = self._crop(z_BCT, random)
        x_BCT = self._jitter_spectrum(x_BCT, random)
        x_BCT = self._scale(x_BCT, random)
        x_BCT = x_BCT + self._wander(x_BCT.shape, random) + self._noise(x_BCT.shape, random)
        x_BCT = self._mask(x_BCT, random)
        return x_BCT * present_BC[..., None]

    def _crop(self, z_BCT: Tensor, random: CounterRandom) -> Tensor:
        _, C, T = z_BCT.shape
        places = T - self.crop_samples + 1
        start_B1 = (random.uniform(_CROP, 1) * places).to(torch.int64)
        index_BT = start_B1 + torch.arange(self.crop_samples, device=z_BCT.device)
        return z_BCT.gather(2, index_BT[:, None, :].expand(-1, C, -1))

    def _scale(self, x_BCT: Tensor, random: CounterRandom) -> Tensor:
        limit = math.log(self.max_gain)
        return x_BCT * random.uniform(_SCALE, x_BCT.shape[1], -limit, limit).exp()[..., None]

    def _noise(self, shape: torch.Size, random: CounterRandom) -> Tensor:
        B, C, T = shape
        level_BC1 = random.uniform(_NOISE_LEVEL, C, 0.0, self.max_noise)[..., None]
        return level_BC1 * random.normal(_NOISE, C * T).view(B, C, T)

    def _wander(self, shape: torch.Size, random: CounterRandom) -> Tensor:
        B, C, T = shape
        draws_BC3K = random.uniform(_WANDER, C * 9).view(B, C, 3, 3)
        amplitude, frequency_hz, phase = draws_BC3K.unbind(2)
        time_T = torch.arange(T, device=draws_BC3K.device, dtype=torch.float32) / self.fs_hz
        turns_BCKT = (0.05 + 0.45 * frequency_hz)[..., None] * time_T + phase[..., None]
        return (self.max_wander * amplitude[..., None] * torch.sin(2 * math.pi * turns_BCKT)).sum(2)

    def _jitter_spectrum(self, x_BCT: Tensor, random: CounterRandom) -> Tensor:
        B, C, T = x_BCT.shape
        log_gain_BCK = self.spectral_jitter * random.normal(_SPECTRUM, C * 8).view(B, C, 8)
        spectrum_BCF = torch.fft.rfft(x_BCT)
        # Bands an octave wide from 0.5 Hz up, with straight lines between their centres on the log axis.
        frequency_F = torch.arange(spectrum_BCF.shape[-1], device=x_BCT.device) * (self.fs_hz / T)
        place_F = (torch.log2(frequency_F.clamp(min=0.5)) + 1.0).clamp(0.0, 6.999)
        left_F = place_F.to(torch.int64)
        weight_F = place_F - left_F
        gain_BCF = (log_gain_BCK[..., left_F] * (1 - weight_F) + log_gain_BCK[..., left_F + 1] * weight_F).exp()
        return torch.fft.irfft(spectrum_BCF * gain_BCF, n=T)

    def _mask(self, x_BCT: Tensor, random: CounterRandom) -> Tensor:
        B, C, T = x_BCT.shape
        length_BC1, place_BC1 = random.uniform(_MASK, C * 2).view(B, C, 2, 1).unbind(2)
        length_BC1 = (length_BC1 * self.max_masked_share * T).to(torch.int64)
        start_BC1 = (place_BC1 * (T - length_BC1 + 1)).to(torch.int64)
        at_T = torch.arange(T, device=x_BCT.device)
        return x_BCT.masked_fill((at_T >= start_BC1) & (at_T < start_BC1 + length_BC1), 0.0)
