"""The order of windows: a permutation for each (seed, epoch), continued at any batch."""

import numpy as np

from ecgppg.data.sampler import epoch_batches, epoch_order, n_batches, ordered_batches


def test_order_is_a_permutation_that_depends_on_seed_and_epoch_alone() -> None:
    order = epoch_order(1000, 1, 2)
    assert sorted(order.tolist()) == list(range(1000))
    np.testing.assert_array_equal(order, epoch_order(1000, 1, 2))
    others = [epoch_order(1000, 2, 1), epoch_order(1000, 1, 3), epoch_order(1000, 2, 2)]
    assert all((order != other).mean() > 0.9 for other in others)


def test_first_k_batches_and_the_rest_are_the_epoch() -> None:
    whole = epoch_batches(103, 10, 5, 0)
    assert len(whole) == n_batches(103, 10) == 10
    assert len(np.unique(np.concatenate(whole))) == 100
    for k in range(11):
        for batch, continued in zip(whole[k:], epoch_batches(103, 10, 5, 0, start=k), strict=True):
            np.testing.assert_array_equal(batch, continued)


def test_windows_left_out_of_an_epoch_are_others_in_the_next() -> None:
    left_out = [set(range(103)) - set(np.concatenate(epoch_batches(103, 10, 5, e)).tolist()) for e in range(5)]
    assert len(set.union(*left_out)) > 10


def test_a_set_smaller_than_a_batch_is_one_batch_and_a_single_window_none() -> None:
    assert [len(b) for b in epoch_batches(5, 64, 0, 0)] == [5]
    assert epoch_batches(1, 64, 0, 0) == []
    assert epoch_batches(0, 64, 0, 0) == []


def test_ordered_batches_cover_everything_once() -> None:
    assert np.concatenate(ordered_batches(25, 10)).tolist() == list(range(25))
    assert ordered_batches(0, 10) == []


def test_every_window_is_as_likely_at_every_place_and_beside_every_other() -> None:
    n, epochs = 8, 4000
    orders = np.stack([epoch_order(n, 3, epoch) for epoch in range(epochs)])
    expected = epochs / n
    at_place = np.stack([np.bincount(orders[:, i], minlength=n) for i in range(n)])
    # Chi-square with 49 degrees of freedom: its 99.9th percentile.
    assert ((at_place - expected) ** 2 / expected).sum() < 85.4
    after = np.bincount((orders[:, :-1] * n + orders[:, 1:]).ravel(), minlength=n * n).reshape(n, n)
    expected = epochs * (n - 1) / (n * (n - 1))
    assert (np.diag(after) == 0).all()
    off_diagonal = after[~np.eye(n, dtype=bool)]
    assert ((off_diagonal - expected) ** 2 / expected).sum() < 95.0
