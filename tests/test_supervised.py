"""The supervised network learns what is planted, chooses its epoch on others, and gives the same bits again."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgppg.data.dataset import SplitWindows, select_windows
from ecgppg.data.sampler import n_batches
from ecgppg.evaluation.discrimination import auroc
from ecgppg.store.reader import open_dataset
from ecgppg.training.supervised import SupervisedNetwork, SupervisedPlan, teach
from tests.labelled_dataset import write_labelled_dataset

ENCODER = {"name": "resnet1d", "n_channels": 1, "hidden_dims": [8, 16], "embedding_dim": 16}
PLAN = SupervisedPlan(ENCODER, crop_samples=1000, fs_hz=125.0, steps=40, batch_size=32, learning_rate=1e-2, seed=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SplitWindows, SplitWindows, dict[int, str]]]:
    """Windows to learn from, windows of others, and every patient's rhythm."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("supervised") / "full_dataset.h5"
    rhythm_of = write_labelled_dataset(path, n_patients=18, n_windows=8)
    ids = np.array(sorted(rhythm_of))
    with open_dataset(path) as dataset:
        yield select_windows(dataset, ids[:12]), select_windows(dataset, ids[12:]), rhythm_of


def irregular(windows: SplitWindows, rhythm_of: dict[int, str]) -> np.ndarray:
    return np.array([float(rhythm_of[s] == "A") for s in windows.subject_id_N.tolist()])


def test_learns_a_planted_label_of_unseen_patients(data: tuple[SplitWindows, SplitWindows, dict[int, str]]) -> None:
    learn, other, rhythm_of = data
    taught = teach(learn, irregular(learn, rhythm_of), PLAN)
    assert taught.epoch == math.ceil(PLAN.steps / n_batches(len(learn), PLAN.batch_size))
    assert auroc(irregular(other, rhythm_of), taught.predict(other)) > 0.9


def test_the_same_again_and_another_with_another_seed(data: tuple[SplitWindows, SplitWindows, dict[int, str]]) -> None:
    learn, other, rhythm_of = data
    plan, y_N = replace(PLAN, steps=5), irregular(learn, rhythm_of)
    first, second = (teach(learn, y_N, plan).predict(other) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, teach(learn, y_N, replace(plan, seed=2)).predict(other))


def test_the_epoch_is_chosen_on_the_validation_windows(data: tuple[SplitWindows, SplitWindows, dict[int, str]]) -> None:
    learn, other, rhythm_of = data
    plan = replace(PLAN, steps=30)
    # Turned labels: the better it learns, the worse it looks, so an early epoch is kept, and its own weights.
    turned = teach(learn, irregular(learn, rhythm_of), plan, val=(other, 1 - irregular(other, rhythm_of)))
    right = teach(learn, irregular(learn, rhythm_of), plan, val=(other, irregular(other, rhythm_of)))
    assert turned.epoch < right.epoch
    assert not np.array_equal(turned.predict(other), right.predict(other))


def test_both_classes_weigh_the_same_whatever_their_shares(
    data: tuple[SplitWindows, SplitWindows, dict[int, str]],
) -> None:
    learn, _, _ = data
    # Nothing can be learnt from noise: a balanced loss then predicts even odds, not the share of the cases.
    y_N = (np.random.default_rng(0).random(len(learn)) < 0.15).astype(float)
    logit_N = teach(learn, y_N, replace(PLAN, steps=20, learning_rate=1e-3)).predict(learn)
    assert abs(1 / (1 + np.exp(-logit_N.mean())) - 0.5) < 0.2


def test_a_number_is_predicted_in_its_own_unit(data: tuple[SplitWindows, SplitWindows, dict[int, str]]) -> None:
    learn, other, _ = data
    plan = replace(PLAN, steps=80, regression=True)
    rate_N, rate_M = learn.beats_N2[:, 0].astype(float), other.beats_N2[:, 0].astype(float)
    error = np.abs(teach(learn, rate_N, plan).predict(other) - rate_M).mean()
    assert error < 0.7 * np.abs(rate_M - rate_N.mean()).mean()


def test_can_start_from_given_weights_of_the_encoder(data: tuple[SplitWindows, SplitWindows, dict[int, str]]) -> None:
    learn, other, rhythm_of = data
    given = SupervisedNetwork(ENCODER, seed=9).encoder.state_dict()
    plan = replace(PLAN, steps=1, learning_rate=1e-12)
    taught = teach(learn, irregular(learn, rhythm_of), plan, initial=given)
    for name, value in taught.network.encoder.state_dict().items():
        assert torch.allclose(value, given[name], atol=1e-6), name
    assert np.isfinite(taught.predict(other)).all()


def test_it_ends_where_told_on_the_same_schedule_and_forgets_at_random_but_the_same_again(
    data: tuple[SplitWindows, SplitWindows, dict[int, str]],
) -> None:
    learn, other, rhythm_of = data
    y_N, per_epoch = irregular(learn, rhythm_of), n_batches(len(learn), PLAN.batch_size)
    plan = replace(PLAN, steps=5 * per_epoch, dropout=0.4, epochs=2)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = teach(learn, y_N, plan)
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.epoch == 2
    torch.manual_seed(2)
    assert np.array_equal(first.predict(other), teach(learn, y_N, plan).predict(other))
    assert not np.array_equal(first.predict(other), teach(learn, y_N, replace(plan, dropout=0.0)).predict(other))
    # Two passes of a longer schedule are not a schedule of two passes.
    short = replace(plan, steps=2 * per_epoch, epochs=None)
    assert not np.array_equal(first.predict(other), teach(learn, y_N, short).predict(other))


def test_the_head_learns_alone_at_first_and_the_encoder_after_it_more_slowly(
    data: tuple[SplitWindows, SplitWindows, dict[int, str]],
) -> None:
    learn, _, rhythm_of = data
    y_N = irregular(learn, rhythm_of)
    given = SupervisedNetwork(ENCODER, seed=77).encoder.state_dict()

    def moved(**changes: float) -> tuple[float, float]:
        """How far the encoder and the head went from where they started."""
        plan = replace(PLAN, steps=10, **changes)
        taught = teach(learn, y_N, plan, initial=given).network
        start = SupervisedNetwork(plan.encoder, plan.seed).head
        far = sum(float((p - given[name]).abs().sum()) for name, p in taught.encoder.state_dict().items())
        return far, float((taught.head.weight - start.weight).detach().abs().sum())

    encoder, head = moved(head_first=1.0)
    assert encoder == 0
    assert head > 0
    whole, half, slow = moved()[0], moved(head_first=0.5)[0], moved(encoder_rate=0.1)[0]
    assert 0 < slow < 0.2 * whole
    assert 0 < half < whole
