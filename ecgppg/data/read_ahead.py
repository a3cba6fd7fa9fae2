"""Reading ahead of use: upcoming batches in groups, each group in the order of the file, groups in threads.

How batches are grouped and who reads them changes no batch: a group is read whole and cut into its batches again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Task = TypeVar("Task")
Result = TypeVar("Result")


def groups_of(plan: list[np.ndarray], max_windows: int) -> list[list[np.ndarray]]:
    """Neighbouring batches together, as many as have no more than `max_windows` windows, at least one."""
    groups: list[list[np.ndarray]] = []
    held = 0
    for positions in plan:
        if not groups or held + len(positions) > max_windows:
            groups.append([])
            held = 0
        groups[-1].append(positions)
        held += len(positions)
    return groups


def ahead_in_threads(function: Callable[[Task], Result], tasks: Iterable[Task], threads: int) -> Iterator[Result]:
    """`map` in threads that are ahead of the caller by as many tasks as there are threads.

    Parameters
    ----------
    function : callable
        Called in a thread; what it raises is raised here when its turn comes.
    tasks : iterable
        Its arguments, in the order of the results.
    threads : int
        At least 1.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="read-ahead") as pool:
        running: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                running.append(pool.submit(function, task))
                if len(running) > threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
