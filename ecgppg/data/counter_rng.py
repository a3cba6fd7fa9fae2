"""Random numbers as a pure function of a key: the same for a window whatever batch, worker or run it is drawn in.

A key is mixed from integers (seed, epoch, segment_id, view); draw `i` of stream `s` is the SplitMix64 output at
counter `i` of that key [1]_. No state, so nothing has to be saved and nothing depends on order.

References
----------
.. [1] Steele, Lea, Flood (2014). Fast splittable pseudorandom number generators. OOPSLA.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from ecgppg.core.splitmix import GOLDEN, MIX_1, MIX_2, draw_from_table, mix


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_MASK = (1 << 64) - 1
_GOLDEN, _MIX_1, _MIX_2 = (_signed(int(number)) for number in (GOLDEN, MIX_1, MIX_2))


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical shift: torch's own keeps the sign of int64."""
    return (x >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def mix64(x: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64 bit patterns, element by element; int64 products wrap."""
    if x.device.type != "cpu":
        return mix64_by_operations(x)
    mixed = x.clone(memory_format=torch.contiguous_format)
    mix(mixed.view(-1).numpy().view(np.uint64))
    return mixed


def mix64_by_operations(x: Tensor) -> Tensor:
    """The same on any device."""
    x = _shift_right(x, 30).bitwise_xor_(x).mul_(_MIX_1)
    x = _shift_right(x, 27).bitwise_xor_(x).mul_(_MIX_2)
    return _shift_right(x, 31).bitwise_xor_(x)


def hash_ints(*parts: Tensor | int) -> Tensor:
    """Chain integers, or tensors of them, into one int64 hash per element.

    Parameters
    ----------
    *parts : Tensor (int64) or int
        Broadcast against each other; their order counts. Integers before the first tensor cost next to nothing.
    """
    n_leading = next((i for i, part in enumerate(parts) if isinstance(part, Tensor)), len(parts))
    leading = 0
    for number in parts[:n_leading]:
        leading = _mix64_int(((leading ^ int(number)) + _GOLDEN) & _MASK)
    key = torch.tensor(_signed(leading), dtype=torch.int64)
    for part in parts[n_leading:]:
        key = mix64((key ^ part) + _GOLDEN)
    return key


def _mix64_int(x: int) -> int:
    x = ((x ^ (x >> 30)) * _MIX_1) & _MASK
    x = ((x ^ (x >> 27)) * _MIX_2) & _MASK
    return x ^ (x >> 31)


class CounterRandom:
    """Draws for a batch of windows, each from its own key.

    Parameters
    ----------
    key_B : Tensor (int64)
        One key a window, of `hash_ints`.
    """

    def __init__(self, key_B: Tensor) -> None:
        self.key_B = key_B

    def bits(self, stream: int, n: int) -> Tensor:
        """(B, n) int64 of 64 random bits each; another `stream` gives unrelated ones."""
        counter_n = torch.arange(1, n + 1, dtype=torch.int64, device=self.key_B.device)
        return mix64(self._start(stream)[:, None] + counter_n * _GOLDEN)

    def uniform(self, stream: int, n: int) -> Tensor:
        """(B, n) float32, uniform in [0, 1)."""
        return _shift_right(self.bits(stream, n), 40).to(torch.float32).mul_(2.0**-24)

    def normal(self, stream: int, n: int) -> Tensor:
        """(B, n) float32, standard normal in 65,536 equally likely steps: four draws to each 64 bits."""
        table = _normal_table(self.key_B.device)
        if self.key_B.device.type == "cpu":
            out_Bn = torch.empty(len(self.key_B), n)
            draw_from_table(self._start(stream).numpy().view(np.uint64), table.numpy(), out_Bn.numpy())
            return out_Bn
        step_Bn = self.bits(stream, (n + 3) // 4).view(torch.int16)[:, :n].to(torch.int32).bitwise_and_(0xFFFF)
        return table.index_select(0, step_Bn.reshape(-1)).view_as(step_Bn)

    def _start(self, stream: int) -> Tensor:
        return mix64((self.key_B ^ stream) + _GOLDEN)


@cache
def _normal_table(device: torch.device) -> Tensor:
    middle = (torch.arange(65536, dtype=torch.float64) + 0.5) / 65536
    return torch.special.ndtri(middle).to(torch.float32).to(device)
