"""Where training runs and in which arithmetic."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ecgppg.config.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device a setting names; `auto` is the first GPU where there is one.

    Raises
    ------
    ConfigError
        For a name that torch does not know, or a device that is not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device: {name!r} is none of auto, cpu, cuda, cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device: {name!r} is none of auto, cpu, cuda, cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device: {name!r} is not here; torch sees {torch.cuda.device_count()} GPUs")
    return device


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to run the network under bfloat16 autocast.

    `auto` does so only where the processor has instructions for it: emulated, it is slower than float32.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


@contextmanager
def deterministic() -> Iterator[None]:
    """Kernels that give the same bits each time, during the block."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes in one thread during the block: the same bits whatever number of cores there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def worth_beside(num_workers: int, device: str) -> int:
    """Processes worth their while: trainings share but the cores of a processor; on a GPU each waits for the others."""
    return num_workers if choose_device(device).type == "cpu" else 0
