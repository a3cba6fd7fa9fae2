"""The head that asks the embedding for what is measured of a window's beats; only training sees it."""

from torch import Tensor, nn

HIDDEN = 64


class BeatHead(nn.Module):
    """Two layers: embedding to standardised measures.

    Parameters
    ----------
    embedding_dim : int
        Length of the input.
    n_measures : int
        Length of the output.
    """

    def __init__(self, embedding_dim: int, n_measures: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(embedding_dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, n_measures))

    def forward(self, e_BD: Tensor) -> Tensor:
        """(B, D) to (B, n_measures)."""
        return self.layers(e_BD)
