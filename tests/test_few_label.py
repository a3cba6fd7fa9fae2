"""Few labels: balanced draws by patient, the same for every method, and intervals over draws and patients."""

import numpy as np
import pytest
from scipy.special import ndtr

from ecgppg.evaluation.few_label import FewLabelPoint, compare_draws, few_label_point, few_label_scores
from ecgppg.evaluation.few_label_choice import few_label_draws, possible_labels
from ecgppg.evaluation.paired import Representation, Scores, auroc_of_seeds, paired_difference
from ecgppg.evaluation.probes import Probe, linear_probe
from ecgppg.evaluation.units import Units, patient_folds
from tests.planted_representations import planted_matrix, planted_units


def scene(seed: int, n_patients: int = 150) -> tuple[Units, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    units = planted_units(rng, n_patients)
    return units, patient_folds(units.subject_id_U, units.y_U, 5, seed), rng


def few_label_curve(
    representation: Representation,
    units: Units,
    fold_U: np.ndarray,
    sizes: list[int],
    n_draws: int,
    probe: Probe,
    seed: int,
) -> list[FewLabelPoint]:
    """A point for every number of labels that can be drawn."""
    points = []
    for n_labels in possible_labels(units, fold_U, sizes, n_draws, seed):
        draws = few_label_draws(units, fold_U, n_labels, n_draws, seed)
        scores = few_label_scores(representation, units, fold_U, draws, probe, seed)
        points.append(few_label_point(n_labels, scores, units, fold_U, seed=seed))
    return points


def test_draws_are_balanced_by_patient_and_come_from_outside_the_fold() -> None:
    units, fold_U, _ = scene(0)
    draws = few_label_draws(units, fold_U, 20, 3, seed=1)
    assert [(d.draw, d.fold) for d in draws] == [(i, f) for i in range(3) for f in range(5)]
    for d in draws:
        assert len(d.train_units) == 20 == len(set(units.subject_id_U[d.train_units]))
        assert units.y_U[d.train_units].sum() == 10
        assert not set(units.subject_id_U[d.train_units]) & set(units.subject_id_U[fold_U == d.fold])
    assert len({tuple(d.train_units) for d in draws}) == 15


def test_a_larger_draw_holds_the_smaller() -> None:
    units, fold_U, _ = scene(1)
    for small, large in zip(
        few_label_draws(units, fold_U, 10, 2, 3), few_label_draws(units, fold_U, 40, 2, 3), strict=True
    ):
        assert set(small.train_units) < set(large.train_units)


def test_draws_do_not_depend_on_the_order_of_units() -> None:
    units, fold_U, rng = scene(2)
    order = rng.permutation(len(units))
    mixed = Units(units.subject_id_U[order], units.y_U[order], units.name_U[order])
    for d, again in zip(
        few_label_draws(units, fold_U, 12, 2, 0), few_label_draws(mixed, fold_U[order], 12, 2, 0), strict=True
    ):
        assert set(units.name_U[d.train_units]) == set(mixed.name_U[again.train_units])


def test_every_unit_of_a_patient_can_be_drawn_and_a_patient_of_both_labels_is_drawn_once() -> None:
    units = Units(np.repeat(np.arange(40), 2), np.tile(np.array([0, 1], np.int8), 40), np.arange(80).astype(str))
    fold_U = units.subject_id_U % 2
    drawn = few_label_draws(units, fold_U, 10, 30, 0)
    for d in drawn:
        assert len(set(units.subject_id_U[d.train_units])) == 10
    assert len({int(u) for d in drawn for u in d.train_units}) == 80


def test_what_cannot_be_drawn_is_refused_and_left_out_of_a_curve() -> None:
    units, fold_U, rng = scene(3, 40)
    with pytest.raises(ValueError, match="half of one kind"):
        few_label_draws(units, fold_U, 5, 2, 0)
    with pytest.raises(ValueError, match="200 labels: outside fold 0"):
        few_label_draws(units, fold_U, 200, 2, 0)
    assert possible_labels(units, fold_U, [1, 2, 7, 10, 200], 2, 0) == [2, 10]
    x, _ = planted_matrix(rng, units, 1.5, 4)
    points = few_label_curve(Representation("x", [x] * 5), units, fold_U, [10, 200], 2, linear_probe, 0)
    assert [p.n_labels for p in points] == [10]


def test_only_the_drawn_labels_are_seen() -> None:
    units, fold_U, rng = scene(4)
    x, _ = planted_matrix(rng, units, 1.5, 6)
    draws = few_label_draws(units, fold_U, 10, 3, 0)
    before = few_label_scores(Representation("x", [x] * 5), units, fold_U, draws, linear_probe, 0)
    one = draws[7]
    others = np.setdiff1d(np.arange(len(units)), one.train_units)
    flipped = units.y_U.copy()
    flipped[others] = 1 - flipped[others]
    after = few_label_scores(
        Representation("x", [x] * 5),
        Units(units.subject_id_U, flipped, units.name_U),
        fold_U, [one], linear_probe, 0,
    )  # fmt: skip
    test = fold_U == one.fold
    assert (before.p_SU[one.draw, test] == after.p_SU[one.draw, test]).all()
    assert np.isfinite(before.p_SU).all()


def test_more_labels_help_and_the_curve_repeats() -> None:
    units, fold_U, rng = scene(5)
    x, _ = planted_matrix(rng, units, 2.0, 20)
    representation = Representation("x", [x] * 5)
    points = few_label_curve(representation, units, fold_U, [4, 16, 64], 3, linear_probe, 0)
    estimates = [p.auroc.estimate for p in points]
    assert estimates == sorted(estimates)
    assert estimates[-1] > estimates[0] + 0.1
    for p in points:
        assert p.auroc.low < p.auroc.estimate < p.auroc.high
        assert p.auroc.estimate == pytest.approx(p.auroc_D.mean())
        assert p.auroc_D == pytest.approx(auroc_of_seeds(p.scores, units, fold_U))
    again = few_label_curve(representation, units, fold_U, [16], 3, linear_probe, 0)
    assert again[0].auroc == points[1].auroc


def test_shuffled_labels_give_a_half() -> None:
    units, fold_U, rng = scene(6)
    x = rng.normal(size=(len(units), 10))
    (point,) = few_label_curve(Representation("noise", [x] * 5), units, fold_U, [40], 6, linear_probe, 0)
    assert point.auroc.low < 0.5 < point.auroc.high
    assert point.auroc.estimate == pytest.approx(0.5, abs=0.06)


def test_a_comparison_pairs_the_draws() -> None:
    units, fold_U, rng = scene(7)
    luck = rng.normal(size=(12, 1)) * rng.normal(size=(1, len(units)))  # what the draw of labels does to both alike
    shared = rng.normal(size=(12, len(units))) * 0.5 + luck + 1.0 * units.y_U
    a, b = Scores("a", shared + 0.25 * units.y_U), Scores("b", shared)
    paired = compare_draws(a, b, units, fold_U)
    crossed = compare_draws(a, Scores("b", b.p_SU[::-1]), units, fold_U)
    assert paired.low > 0
    assert paired.high - paired.low < crossed.high - crossed.low
    assert paired.estimate == pytest.approx(paired_difference(a, b, units, fold_U).estimate)
    with pytest.raises(ValueError, match="12 draws"):
        compare_draws(a, Scores("b", b.p_SU[:3]), units, fold_U)


def test_the_interval_holds_the_luck_of_the_draw() -> None:
    units, fold_U, rng = scene(8)
    steady = np.repeat(rng.normal(size=(1, len(units))) + units.y_U, 10, axis=0)
    lucky = steady + np.linspace(-2, 2, 10)[:, None] * units.y_U
    calm, wild = (few_label_point(10, Scores("", p), units, fold_U).auroc for p in (steady, lucky))
    assert wild.high - wild.low > 1.5 * (calm.high - calm.low)


@pytest.mark.slow
def test_intervals_cover_the_mean_over_draws_and_patients() -> None:
    """Planted scores: what the luck of the draw does to both methods, what patients bring to both and to each."""
    n_repeats, n_draws, covered, covered_gain = 250, 10, 0, 0
    many = np.random.default_rng(0).normal(size=400_000)
    spread = np.sqrt(2 * (1 + 0.25 + 0.04))
    mean_auroc = {mean: float(ndtr((mean + 0.3 * many) / spread).mean()) for mean in (1.2, 0.9)}
    for i in range(n_repeats):
        units, fold_U, rng = scene(2000 + i, 120)
        shared_U = rng.normal(size=units.n_patients)[np.unique(units.subject_id_U, return_inverse=True)[1]]
        luck_D1 = 0.3 * rng.normal(size=(n_draws, 1))
        a, b = (
            Scores(
                "",
                shared_U + 0.5 * rng.normal(size=len(units)) + (mean + luck_D1) * units.y_U
                + 0.2 * rng.normal(size=(n_draws, len(units))),
            )
            for mean in (1.2, 0.9)
        )  # fmt: skip
        point = few_label_point(40, a, units, fold_U, n_bootstrap=300, seed=i)
        covered += point.auroc.low <= mean_auroc[1.2] <= point.auroc.high
        gain = compare_draws(a, b, units, fold_U, n_bootstrap=300, seed=i)
        covered_gain += gain.low <= mean_auroc[1.2] - mean_auroc[0.9] <= gain.high
    assert 0.92 <= covered / n_repeats <= 0.995
    assert 0.92 <= covered_gain / n_repeats <= 0.995
