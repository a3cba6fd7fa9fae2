"""Our own exceptions: each carries one clear line for the user and the exit code it ends the command with."""

LONGEST_TEXT = 1000
"""Characters of a path or detail of a damaged file that are shown."""


class EcgppgError(Exception):
    """Base of every error that a user or an input can cause.

    Attributes
    ----------
    exit_code : int
        What the command line returns for it: 1 a failure in the run, 2 a bad option, setting or input folder.
    """

    exit_code = 1


class ConfigError(EcgppgError):
    """A setting or option that cannot be: unknown key, wrong type, value out of range."""

    exit_code = 2


class InputError(EcgppgError):
    """An input folder, table or file that a user named and that cannot serve."""

    exit_code = 2


class RefusedError(EcgppgError):
    """Work refused because it would contradict what is already in the output folder."""

    exit_code = 2


class RunError(EcgppgError):
    """A failure in the run itself: a full disk, too many failed workers, a loss that stays infinite."""


class DamagedRecord(EcgppgError):
    """A waveform record, segment or file that cannot be read; it loses itself only.

    Parameters
    ----------
    reason : str
        One of `ecgppg.config.schema.READ_REASONS`, counted in the dataset card.
    path : object
        The file concerned.
    detail : str
        One line for the log.
    """

    def __init__(self, reason: str, path: object, detail: str = "") -> None:
        super().__init__(reason, str(path), detail)
        # Names come from the files themselves: they may hold anything, line breaks and terminal codes too.
        self.reason, self.path, self.detail = reason, _on_one_line(str(path)), _on_one_line(detail)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}{': ' + self.detail if self.detail else ''}"


def _on_one_line(text: str) -> str:
    """Text that may be printed: what is not printable escaped, the middle of what is very long left out."""
    shown = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT // 2]} ... {text[-LONGEST_TEXT // 2 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


class Terminated(BaseException):
    """SIGTERM arrived: unwinds the stack so that every stage saves, then the command ends with 143."""
