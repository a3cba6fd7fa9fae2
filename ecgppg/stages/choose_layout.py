"""Where the choosing of settings keeps what it makes, below OUT/choice/."""

from pathlib import Path

from ecgppg.config.schema import OutputLayout


class ChoiceLayout:
    """Paths of one choice.

    Parameters
    ----------
    root : Path
        The output folder.
    dataset : Path
        The dataset; it may lie elsewhere.
    """

    def __init__(self, root: Path, dataset: Path) -> None:
        self.root, self.dataset = root / "choice", dataset
        self.log = root / "production.log"
        self.answer = self.root / "choice.json"
        self.page = self.root / "choice.md"
        self.figure = self.root / "choice.png"

    def trained(self, candidate: str, fold: int) -> OutputLayout:
        """The output folder of one training: a candidate on the inner training patients of an outer fold."""
        layout = OutputLayout(self.root / candidate / f"fold_{fold}")
        layout.dataset = self.dataset
        return layout
