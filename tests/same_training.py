"""Two trainings are the same: state, weights, optimizer, what was written, and every measure but the clock's."""

from typing import Any

import torch

from ecgppg.config.schema import OutputLayout
from ecgppg.training.checkpoint import load_checkpoint
from ecgppg.training.monitor import read_metrics

TIMED = {"segments_per_s"}


def untimed_rows(layout: OutputLayout) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in TIMED} for row in read_metrics(layout.metrics)]


def assert_same(a: OutputLayout, b: OutputLayout) -> None:
    old, new = load_checkpoint(a.latest_checkpoint), load_checkpoint(b.latest_checkpoint)
    assert old.state == new.state
    assert_equal(old.model, new.model)
    assert_equal(old.optimizer, new.optimizer)
    assert_equal(old.best, new.best)
    assert (a.encoder / "encoder.safetensors").read_bytes() == (b.encoder / "encoder.safetensors").read_bytes()
    assert untimed_rows(a) == untimed_rows(b)


def assert_equal(old: Any, new: Any) -> None:
    assert type(old) is type(new)
    if isinstance(old, torch.Tensor):
        assert torch.equal(old, new)
    elif isinstance(old, dict):
        assert old.keys() == new.keys()
        for key in old:
            assert_equal(old[key], new[key])
    elif isinstance(old, list | tuple):
        assert len(old) == len(new)
        for one, other in zip(old, new, strict=True):
            assert_equal(one, other)
    else:
        assert old == new
