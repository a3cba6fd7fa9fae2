"""The head that asks the embedding for a window's rate and irregularity; only training sees it."""

from torch import Tensor, nn

HIDDEN = 64


class BeatHead(nn.Module):
    """Two layers: embedding to standardised log heart rate and log RR variation.

    Parameters
    ----------
    embedding_dim : int
        Length of the input.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(embedding_dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))

    def forward(self, e_BD: Tensor) -> Tensor:
        """(B, D) to (B, 2)."""
        return self.layers(e_BD)
