"""Reduction beside a plain SVD; the draw of equal windows a patient."""

import numpy as np
import pytest

from ecgppg.config.errors import ConfigError
from ecgppg.config.settings import Settings
from ecgppg.discovery.reduce import map_coordinates, principal_components, reduce_embeddings, standardise
from ecgppg.discovery.selection import select_windows
from ecgppg.store.embeddings import Embeddings
from tests.planted import planted_embeddings


def test_principal_components_are_those_of_a_plain_svd() -> None:
    x = np.random.default_rng(0).normal(size=(200, 12)) @ np.diag(np.arange(1, 13)) + 5
    x[:, 3] = x[:, 5] + 0.1 * x[:, 3]
    scores, explained = principal_components(x, 4, seed=0)
    z = (x - x.mean(0)) / x.std(0)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    expected = u[:, :4] * s[:4]
    signs = np.sign((scores * expected).sum(axis=0))
    assert scores * signs == pytest.approx(expected, abs=1e-4)
    assert explained == pytest.approx((s[:4] ** 2).sum() / (s**2).sum(), abs=1e-6)


def test_a_constant_dimension_becomes_zero_and_constant_rows_do_no_harm() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    x[:, 1] = 7
    assert not standardise(x)[:, 1].any()
    scores, explained = principal_components(np.full((10, 4), 3.0), 2, seed=0)
    assert not scores.any()
    assert explained == 0


def test_dimensions_are_fewer_where_rows_are() -> None:
    x = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    assert reduce_embeddings(x, Settings(n_components=20)).shape == (5, 5)


def test_a_patient_brings_at_most_so_many_windows_whoever_else_is_there() -> None:
    rows, _ = planted_embeddings(n_patients=6, n_windows=30)
    settings = Settings(max_windows_per_patient=10)
    chosen = select_windows(rows, settings)
    assert np.unique(chosen.embeddings.subject_id, return_counts=True)[1].tolist() == [10] * 6
    assert chosen.n_offered == 180
    assert not chosen.includes_train
    few = rows.subject_id < 3
    part = select_windows(
        Embeddings(rows.embeddings[few], rows.segment_id[few], rows.subject_id[few], rows.split[few]), settings
    )
    assert set(part.embeddings.segment_id) <= set(chosen.embeddings.segment_id)


def test_patients_of_train_come_only_when_asked_for_and_are_said() -> None:
    rows, _ = planted_embeddings(n_patients=6)
    split = np.where(rows.subject_id < 3, "train", "test")
    rows = Embeddings(rows.embeddings, rows.segment_id, rows.subject_id, split)
    without = select_windows(rows, Settings())
    assert set(without.embeddings.subject_id) == {3, 4, 5}
    assert not without.includes_train
    with_train = select_windows(rows, Settings(include_train=True))
    assert with_train.n_patients == 6
    assert with_train.includes_train
    with pytest.raises(ConfigError, match="include_train"):
        select_windows(rows, Settings(discovery_splits=["train"]))


def test_patients_of_another_cohort_are_unseen() -> None:
    rows, _ = planted_embeddings(n_patients=6)
    elsewhere = Embeddings(rows.embeddings, rows.segment_id, rows.subject_id, np.full(len(rows), "other"))
    chosen = select_windows(elsewhere, Settings())
    assert chosen.n_patients == 6
    assert not chosen.includes_train
    assert "other" in chosen.splits
    assert "other" not in select_windows(rows, Settings()).splits


@pytest.mark.slow
def test_umap_is_the_same_twice_and_keeps_planted_clusters_apart() -> None:
    rows, truth = planted_embeddings()
    settings = Settings(reducer="umap", n_components=3)
    first, again = (reduce_embeddings(rows.embeddings, settings) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (len(rows), 3)
    flat, method = map_coordinates(rows.embeddings, first, settings)
    assert method == "umap"
    assert flat.shape == (len(rows), 2)
    centre = np.array([flat[truth == k].mean(axis=0) for k in range(4)])
    nearest = np.linalg.norm(flat[:, None] - centre, axis=2).argmin(axis=1)
    assert (nearest == truth).mean() > 0.95
