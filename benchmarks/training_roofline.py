"""How near a training step comes to what the machine can multiply: its floating-point operations against a matmul's."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

MATRIX = {"cpu": 1024, "cuda": 8192}


def matmul_flops_per_s(device: torch.device, bf16: bool, seconds: float) -> float:
    """The rate of one large square product in the arithmetic of the step: the roof."""
    n = MATRIX[device.type]
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16 if bf16 else torch.float32) for _ in range(2))
    return 2 * n**3 * rate(lambda: [a @ b], seconds, device)


def count_flops(forward: Callable[[], torch.Tensor]) -> int:
    """Operations of the matrix products and convolutions of a forward and a backward pass."""
    with FlopCounterMode(display=False) as counter:
        forward().backward()
    return int(counter.get_total_flops())


def shares_of_operations(step: Callable[[], object], device: torch.device, n: int = 8) -> list[tuple[str, float]]:
    """The operations that take most of a step, each with its share of the time of all."""
    on_gpu = device.type == "cuda"
    context: AbstractContextManager[profile] = profile(
        activities=[ProfilerActivity.CUDA] if on_gpu else [ProfilerActivity.CPU]
    )
    with context as found:
        step()
    name = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    times = sorted(((getattr(e, name), e.key) for e in found.key_averages()), reverse=True)
    whole = sum(us for us, _ in times) or 1.0
    return [(key, us / whole) for us, key in times[:n]]


def rate(
    work: Callable[[], list[object]] | Callable[[], list[torch.Tensor]],
    seconds: float,
    device: torch.device | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Things a second: `work` is called until so much time of the clock has passed, after once for nothing.

    Parameters
    ----------
    work : callable
        Does some of it and returns what it did, for its length.
    seconds : float
    device : torch.device, optional
        Waited for before the clock is read.
    clock : callable
        `time.thread_time` counts the processor time of this thread alone.
    """
    wait = torch.cuda.synchronize if device is not None and device.type == "cuda" else nullcontext
    work()
    wait()
    done, began_s = 0, clock()
    while True:
        done += len(work())
        wait()
        passed_s = clock() - began_s
        if passed_s >= seconds:
            return done / passed_s
