"""Products of small matrices in one thread."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep numpy's matrix products in this thread for a while.

    Matrices of a few hundred rows are done before a second thread is awake; where another process holds the other
    core each product waits for it, and a fit of a tenth of a second was measured to take twenty. In one thread the last
    digits, too, are the same on any number of cores.
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> Any:
    # Once, since finding the libraries takes milliseconds: numpy's is loaded by whoever has matrices to multiply.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
