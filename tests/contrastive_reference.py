"""The contrastive terms as plain loops over lists of numbers, straight from their definitions."""

import math

import torch

Rows = list[list[float]]


def rows_of(n: int = 7, p: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tensors of random projections."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, p, generator=generator), torch.randn(n, p, generator=generator)


def cosine(a: list[float], b: list[float]) -> float:
    """Cosine similarity; 0 for a zero vector."""
    length = math.sqrt(sum(v * v for v in a)) * math.sqrt(sum(v * v for v in b))
    return sum(u * v for u, v in zip(a, b, strict=True)) / length if length else 0.0


def cross_entropy(query: list[float], positive: list[float], negatives: Rows, temperature: float) -> float:
    """Minus the log probability of the positive among itself and the negatives."""
    numerator = math.exp(cosine(query, positive) / temperature)
    denominator = numerator + sum(math.exp(cosine(query, key) / temperature) for key in negatives)
    return -math.log(numerator / denominator)


def nt_xent_by_loops(
    a: Rows, b: Rows, temperature: float, group_a: list[int] | None = None, group_b: list[int] | None = None
) -> float:
    """Every row of both sides seeks its other half among all rows of both."""
    n, rows = len(a), a + b
    group_a = list(range(n)) if group_a is None else group_a
    groups = group_a + (group_a if group_b is None else group_b)
    total = 0.0
    for i in range(2 * n):
        other = (i + n) % (2 * n)
        negatives = [rows[j] for j in range(2 * n) if j not in (i, other) and groups[j] != groups[i]]
        total += cross_entropy(rows[i], rows[other], negatives, temperature)
    return total / (2 * n)


def cross_modal_by_loops(ecg: Rows, ppg: Rows, temperature: float, group: list[int] | None = None) -> float:
    """Every ECG seeks its PPG among all PPG, every PPG its ECG among all ECG."""
    n = len(ecg)
    group = list(range(n)) if group is None else group
    total = 0.0
    for i in range(n):
        strangers = [j for j in range(n) if j != i and group[j] != group[i]]
        total += cross_entropy(ecg[i], ppg[i], [ppg[j] for j in strangers], temperature)
        total += cross_entropy(ppg[i], ecg[i], [ecg[j] for j in strangers], temperature)
    return total / (2 * n)
