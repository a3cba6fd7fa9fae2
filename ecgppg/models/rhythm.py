"""What repeats in a window: the autocorrelation of the signal's steepness, read by a small network.

A beat is the steepest thing in a window. Where beats come evenly, the steepness of the signal is like itself one beat
later, two beats later; where they come as they like, it is not. A convolution that is pooled over time cannot compare
moments that lie a second apart, and this can.

Shapes: B windows, C channels, T samples, E places of the envelope, L lags, R features.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

STRIDE = 4
"""Samples from one place of the envelope to the next."""
WIDTH = 9
"""Samples one place averages over: about the width of a QRS complex at 125 Hz."""
LAGS = 64
"""Places compared, each later by one: two seconds at 125 Hz."""
FEATURES = 64


class Rhythm(nn.Module):
    """Windows to features of their rhythm.

    Parameters
    ----------
    n_channels : int
        Channels of a window.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(n_channels, 16, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(16, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * LAGS // 2, FEATURES),
            nn.ReLU(),
        )

    def forward(self, z_BCT: Tensor) -> Tensor:
        """(B, C, T) to (B, FEATURES)."""
        return self.layers(autocorrelation(z_BCT))


def autocorrelation(z_BCT: Tensor) -> Tensor:
    """Correlation of the envelope of the slope with itself, one to `LAGS` places later, float32 (B, C, L).

    Zeros where a channel is constant. Computed in float32 also under autocast.
    """
    with torch.autocast(device_type=z_BCT.device.type, enabled=False):
        slope_BCT = z_BCT.float().diff(dim=-1).abs()
        envelope_BCE = avg_pool1d(slope_BCT, WIDTH, STRIDE)
        envelope_BCE = envelope_BCE - envelope_BCE.mean(-1, keepdim=True)
        n = envelope_BCE.shape[-1]
        power_BCF = torch.fft.rfft(envelope_BCE, n=1 << (n + LAGS).bit_length()).abs().square()
        product_BCL = torch.fft.irfft(power_BCF)[..., : LAGS + 1]
        return product_BCL[..., 1:] / (product_BCL[..., :1] + 1e-6 * n)
