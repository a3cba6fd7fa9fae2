"""Which of the processes that torchrun started this one is: read from the environment, without torch."""

import os


def rank_and_world() -> tuple[int, int]:
    """(rank, number of processes) as torchrun gives them; (0, 1) where this process was started alone.

    Only what torchrun itself marks counts: schedulers leave a RANK of their own in the environment.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return 0, 1
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def is_relaunch() -> bool:
    """Whether torchrun has started this process again, with the same options, after another one failed."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def on_several_machines() -> bool:
    """Whether torchrun spread the processes over machines."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "0")) not in (0, rank_and_world()[1])
