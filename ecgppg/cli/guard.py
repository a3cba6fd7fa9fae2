"""From exceptions to exit codes: 0 done, 1 failed, 2 a user's mistake, 130 and 143 stopped after saving."""

import os
import re
import sys
from collections.abc import Callable

from ecgppg.config.errors import EcgppgError, Terminated
from ecgppg.core.signals import terminate_as_exception

INTERRUPTED, TERMINATED = 130, 143
SYSTEM_ERROR, FILE_NAME = re.compile(r"errno = (\d+)"), re.compile(r"filename = '([^']*)'")
"""How HDF5 words the system's error within paragraphs of its own."""


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
            print(f"ecgppg: {_cause(error)}", file=sys.stderr)
            return 1
        except RuntimeError as error:
            # The HDF5 and torch libraries report a disk that is full while a file is closed in this way.
            if not SYSTEM_ERROR.search(str(error)):
                raise
            print(f"ecgppg: {_cause(error)}", file=sys.stderr)
            return 1


def _cause(error: OSError | RuntimeError) -> str:
    """What the system said, and of which file, in one line."""
    number, named = SYSTEM_ERROR.search(str(error)), FILE_NAME.search(str(error))
    said = os.strerror(int(number[1])) if number else getattr(error, "strerror", None) or str(error)
    file = getattr(error, "filename", None) or (named[1] if named else "")
    return " ".join(f"{said}{': ' if file else ''}{file}".split())
