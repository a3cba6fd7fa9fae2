"""A collapse is said loudly, and a network that was just drawn is not called one."""

import logging
import math
from pathlib import Path

import pytest
import torch

from ecgppg.config.schema import OutputLayout
from ecgppg.objectives.measures import uniformity
from ecgppg.stages import train as train_stage
from ecgppg.training import collapse
from ecgppg.training.collapse import GRACE_STEPS, collapse_line
from ecgppg.training.validation import Validation, effective_rank
from tests.small_dataset import small_settings, write_small_dataset


def measured(embedding_ND: torch.Tensor) -> Validation:
    spread = float(uniformity(embedding_ND))
    deviation = float(embedding_ND.std(dim=0).mean())
    return Validation(1.0, {}, 0.1, spread, math.nan, deviation, effective_rank(embedding_ND))


@pytest.mark.parametrize(
    ("shape", "said"),
    [("spread", None), ("line", "effective rank 1"), ("point", "uniformity -0.0"), ("same", "standard deviation 0")],
)
def test_what_has_collapsed_is_named(shape: str, said: str | None) -> None:
    spread_ND = torch.randn(300, 16, generator=torch.Generator().manual_seed(1))
    embedding_ND = {
        "spread": spread_ND,
        "line": spread_ND[:, :1] * torch.ones(16),
        "point": 100.0 + spread_ND,
        "same": torch.ones(300, 16),
    }[shape]
    line = collapse_line(measured(embedding_ND), step=1000)
    if said is None:
        assert line is None
    else:
        assert line
        assert line.startswith("COLLAPSE")
        assert said in line
    assert collapse_line(measured(embedding_ND), GRACE_STEPS - 1) is None


def test_what_is_not_a_number_is_a_collapse() -> None:
    line = collapse_line(Validation(math.nan, {}, math.nan, math.nan, math.nan, math.nan, 0.0), 1000)
    assert line
    assert "uniformity nan" in line


def test_the_log_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout, n_patients=4, n_windows=4)
    monkeypatch.setattr(collapse, "GRACE_STEPS", 0)
    monkeypatch.setattr(logging.getLogger("ecgppg"), "propagate", True)
    with caplog.at_level(logging.INFO, logger="ecgppg"):
        train_stage.run(small_settings(num_epochs=1, learning_rate=1e-6), layout)
    # Sets: another test's log may still hand each record on a second time.
    (warned,) = {record.getMessage() for record in caplog.records if record.levelno == logging.WARNING}
    assert warned.startswith("COLLAPSE: the embeddings hardly tell windows apart (uniformity -0.0")
    (line,) = {record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch 1 of 1")}
    for words in ("effective rank", "embedding sd", "alignment", "uniformity"):
        assert words in line
