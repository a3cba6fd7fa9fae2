"""Units whose best score is known: a Gaussian direction in D dimensions, patients with one to three units."""

import numpy as np

from ecgppg.evaluation.units import Units


def planted_units(rng: np.random.Generator, n_patients: int = 200, share: float = 0.35) -> Units:
    subject_U = np.repeat(np.arange(n_patients) * 7 + 3, rng.integers(1, 4, n_patients))
    y_U = (rng.random(n_patients) < share).astype(np.int8)[np.unique(subject_U, return_inverse=True)[1]]
    return Units(subject_U, y_U, np.array([f"r{i:05d}" for i in range(len(subject_U))], object))


def planted_matrix(
    rng: np.random.Generator, units: Units, shift: float, n_dimensions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Label 1 lies `shift` standard deviations along one direction: (x_UD, best score of each unit)."""
    direction = rng.normal(size=n_dimensions)
    direction /= np.linalg.norm(direction)
    x_UD = rng.normal(size=(len(units), n_dimensions)) + shift * np.outer(units.y_U, direction)
    return x_UD * rng.uniform(0.1, 30, n_dimensions) + rng.normal(size=n_dimensions) * 10, x_UD @ direction
