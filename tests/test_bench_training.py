"""The benchmark of training runs, and its figures agree with each other."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgppg.config.schema import OutputLayout
from ecgppg.data.augment import Augmentation
from ecgppg.data.normalise import robust_zscore
from tests.small_dataset import write_small_dataset

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_the_printed_figures_agree_with_each_other(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout, n_patients=3, n_windows=8)
    words = ["--dataset", layout.dataset, "--sizes", "small", "--batch-size", 4, "--seconds", 0.02, "--repeats", 2]
    command = [sys.executable, BENCHMARKS / "training.py", *words, "--device", "cpu", "--json", tmp_path / "f.json"]
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (figures["windows"], figures["channels"], figures["samples"]) == (24, 2, 1250)
    first, second = figures["runs"]
    for run in (first, second):
        assert all(rate > 0 for rate in run["alone"].values())
        assert run["sizes"]["small"]["flops_per_window"] == first["sizes"]["small"]["flops_per_window"]
    shares = [run["sizes"]["small"]["train_busy"] / run["alone"]["read"] for run in (first, second)]
    assert figures["ratio"]["share of a step: read, small"]["min"] == pytest.approx(min(shares))
    assert f"({min(shares):.2%} to {max(shares):.2%})" in result.stdout
    assert sum(share for _, share in figures["operations"]["small"]) <= 1


def test_operations_are_counted_forward_and_backward() -> None:
    from training_roofline import count_flops

    layer = torch.nn.Linear(30, 20, bias=False)
    x = torch.randn(7, 30, requires_grad=True)
    # Forward, and backward to the weights and to what came in: three products of 2 * 7 * 30 * 20.
    assert count_flops(lambda: layer(x).sum()) == 3 * 2 * 7 * 30 * 20


def test_the_naive_way_distorts_as_ours_does() -> None:
    from training_naive import augment, normalise

    rng = np.random.default_rng(0)
    x_NCT = np.cumsum(rng.normal(size=(200, 2, 1250)), axis=-1).astype(np.float32)
    z_BCT, present_BC = robust_zscore(torch.from_numpy(x_NCT))
    naive_NCT = np.stack([normalise(x_CT) for x_CT in x_NCT])
    np.testing.assert_allclose(naive_NCT, z_BCT.numpy(), atol=0.1)
    ours = Augmentation(1000, 125.0).view(z_BCT, present_BC, torch.arange(200), seed=0, epoch=0, view=0).numpy()
    naive = np.stack([augment(z_CT, rng) for z_CT in naive_NCT])
    assert naive.shape == ours.shape
    assert naive.std() == pytest.approx(ours.std(), rel=0.1)
    assert (naive == 0).mean() == pytest.approx((ours == 0).mean(), rel=0.2)
    # Above 30 Hz there is noise alone.
    power = [np.square(np.abs(np.fft.rfft(v)[..., 300:])).mean() for v in (naive, ours)]
    assert power[0] == pytest.approx(power[1], rel=0.3)
