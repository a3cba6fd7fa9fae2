"""Where an evaluation keeps what it makes, below OUT/evaluation/."""

from pathlib import Path

from ecgppg.config.schema import OutputLayout

FOLD_ENCODERS, GIVEN_ENCODER = "encoders", "encoder"
"""Names of what is judged where the user gives none."""


class EvaluationLayout:
    """Paths of one evaluation.

    Parameters
    ----------
    root : Path
        The output folder.
    dataset : Path
        The dataset judged on; it may lie elsewhere.
    name : str
        Name of the set of encoders, one a fold: settings that are compared stand side by side under their names.
    """

    def __init__(self, root: Path, dataset: Path, name: str = FOLD_ENCODERS) -> None:
        self.root, self.dataset, self.name = root / "evaluation", dataset, name
        self.log = root / "production.log"
        self.folds = self.root / "folds.parquet"
        self.config = self.root / name / "config.json"
        self.choices = self.root / name / "choices.json"
        self.given_embeddings = self.root / name / "embeddings.npz"
        self.supervised = self.root / "supervised"

    def fold(self, fold: int) -> OutputLayout:
        """The output folder of one fold: it holds its own splits, checkpoint, encoder and embeddings."""
        layout = OutputLayout(self.root / self.name / f"fold_{fold}")
        layout.dataset = self.dataset
        return layout

    def hand_made(self, windows: str) -> Path:
        """Hand-made features of the windows of a fingerprint."""
        return self.root / "hand_made" / f"{windows}.npz"

    def untrained(self, seed: int, kind: str | None = None) -> Path:
        """Embeddings by the encoder with fresh weights of a seed; `kind` where folds have encoders of several."""
        return self.root / self.name / "untrained" / f"seed_{seed}{f'-{kind}' if kind else ''}.npz"

    def task(self, task: str) -> Path:
        """Folder of one question's results."""
        return self.root / (task if self.name == FOLD_ENCODERS else f"{self.name}-{task}")
