"""How near a training step comes to what the machine can multiply: its floating-point operations against a matmul's."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

MATRIX = {"cpu": 1024, "cuda": 8192}


def matmul_flops_per_s(device: torch.device, bf16: bool, seconds: float) -> float:
    """The rate of one large square product in the arithmetic of the step, by `busy_clock`: the roof."""
    n = MATRIX[device.type]
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16 if bf16 else torch.float32) for _ in range(2))
    return 2 * n**3 * rates(lambda: [a @ b], seconds, busy_clock(device), device=device)[0]


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


def busy_clock(device: torch.device) -> Callable[[], float]:
    """On a CPU the processor time of all threads, which others on the machine change little; on a GPU the clock."""
    return time.process_time if device.type == "cpu" else time.perf_counter


def rates(
    work: Callable[[], Sequence[object]],
    seconds: float,
    *clocks: Callable[[], float],
    device: torch.device | None = None,
) -> list[float]:
    """Things a second by each clock, measured together.

    Parameters
    ----------
    work : callable
        Does some of it and returns what it did, for its length. Called once for nothing, then until the first clock
        has gone on by `seconds`.
    seconds : float
    *clocks : callable
        `time.thread_time` counts the processor time of this thread alone.
    device : torch.device, optional
        Waited for before the clocks are read.
    """
    wait = torch.cuda.synchronize if device is not None and device.type == "cuda" else nullcontext
    work()
    wait()
    done, began = 0, [clock() for clock in clocks]
    while True:
        done += len(work())
        wait()
        passed = [clock() - start for clock, start in zip(clocks, began, strict=True)]
        if passed[0] >= seconds:
            return [done / passed_s for passed_s in passed]
