"""SIGTERM unwinds the stack like an interrupt does, so that every stage saves what it has."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ecgppg.config.errors import Terminated


@contextmanager
def terminate_as_exception() -> Iterator[None]:
    """Raise `Terminated` in the main thread when SIGTERM arrives during the block."""

    def on_terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, on_terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
