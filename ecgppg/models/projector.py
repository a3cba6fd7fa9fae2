"""The head that only training sees: what the loss demands is asked of its output, and spares the embedding."""

from torch import Tensor, nn


class Projector(nn.Module):
    """Two layers: embedding to projection.

    Parameters
    ----------
    embedding_dim, projection_dim : int
        Lengths of input and output; the layer between has the length of the input.
    """

    def __init__(self, embedding_dim: int, projection_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(embedding_dim, embedding_dim), nn.ReLU(), nn.Linear(embedding_dim, projection_dim)
        )

    def forward(self, e_BD: Tensor) -> Tensor:
        """(B, D) to (B, projection_dim)."""
        return self.layers(e_BD)
