"""Settings of `evaluate`: folds, seeds, draws, and the supervised network that the encoder is measured against."""

from typing import Annotated

from pydantic import Field

from ecgppg.config.keys import SettingsPart, content

LabelCount = Annotated[int, Field(ge=4, le=1_000_000, multiple_of=2)]
"""Half of them have the label."""


class EvaluationSettings(SettingsPart):
    """How representations are judged; none of these keys touches a dataset or an encoder of `train`."""

    outer_folds: int = content("evaluate", 5, "outer folds over patients", ge=2, le=20)
    encoder_val_share: float = content(
        "evaluate", 0.0, "share of a fold's training patients that chooses its encoder's epoch; 0: last epoch",
        ge=0, le=0.5,
    )  # fmt: skip
    probe_seeds: int = content("evaluate", 3, "times each probe and each untrained encoder is repeated", ge=1, le=50)
    few_label_sizes: list[LabelCount] = content(
        "evaluate", [10, 20, 40, 80, 160], "labelled records of the few-label curves", min_length=1, max_length=20
    )
    few_label_draws: int = content("evaluate", 10, "draws of labelled records at each size", ge=2, le=1000)
    scratch_labels: int = content(
        "evaluate", 40, "labelled records of the network trained from scratch; 0: none", ge=0, multiple_of=2
    )
    scratch_steps: int = content("evaluate", 120, "steps of that network", ge=1)
    supervised_epochs: int = content("evaluate", 40, "passes of the supervised network; its best one is chosen", ge=1)
    supervised_seeds: int = content("evaluate", 3, "times the supervised network is trained in each fold", ge=1, le=50)
    supervised_learning_rate: float = content("evaluate", 2e-3, "peak of its schedule", gt=0, lt=1)
    supervised_weight_decay: float = content("evaluate", 0.01, "AdamW weight decay of it", ge=0, lt=1)
    supervised_dropout: float = content(
        "evaluate", 0.0, "share of its embedding that is blanked at each step of it", ge=0, lt=1
    )
    supervised_val_share: float = content(
        "evaluate", 0.15, "share of a fold's training patients that chooses its epoch", gt=0, le=0.5
    )
    choice_val_share: float = content(
        "choose", 0.3, "share of the patients outside an outer fold that settings are chosen by", gt=0, le=0.5
    )
