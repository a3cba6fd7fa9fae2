"""From exceptions to exit codes: 0 done, 1 failed, 2 a user's mistake, 130 and 143 stopped after saving."""

import sys
from collections.abc import Callable

from ecgppg.config.errors import EcgppgError, Terminated
from ecgppg.core.signals import terminate_as_exception

INTERRUPTED, TERMINATED = 130, 143


def run_guarded(action: Callable[[], int]) -> int:
    """Run a command and turn whatever ends it into an exit code.

    Parameters
    ----------
    action : callable
        Does the work and returns the exit code of a normal end.

    Returns
    -------
    int
        The exit code. Users' mistakes and known failures print one line; only a fault of our own shows a traceback.
    """
    with terminate_as_exception():
        try:
            return action()
        except EcgppgError as error:
            print(f"ecgppg: {error}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            print("ecgppg: interrupted; what was finished is saved, the same command continues", file=sys.stderr)
            return INTERRUPTED
        except Terminated:
            print("ecgppg: terminated; what was finished is saved, the same command continues", file=sys.stderr)
            return TERMINATED
        except OSError as error:
            print(f"ecgppg: {error.strerror or error}{_where(error)}", file=sys.stderr)
            return 1


def _where(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""
