"""The page a person reads before using an encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ecgppg.data.augment import Augmentation
from ecgppg.evaluation.evaluation_page import markdown, shown
from ecgppg.training.objective_words import TERMS, objective_words

WATCHED = {
    "effective_rank": "effective rank: dimensions the embedding really uses",
    "embedding_std": "standard deviation of an embedding's dimensions; 0 is collapse",
    "alignment": "alignment: mean squared distance of two views; 0 is best",
    "uniformity": "uniformity: how evenly projections (or centred embeddings) fill the sphere; lower is better",
}


@dataclass(frozen=True)
class Beside:
    """What lies beside an encoder in its output folder and belongs on its card.

    Attributes
    ----------
    dataset : dict
        dataset_card.json, or nothing.
    epochs : list of dict
        Rows of metrics.jsonl.
    evaluations : list of dict
        Results of `evaluate`, one a question; see `evaluation.evaluation_page`.
    n_test_patients : int or None
    least : int
        Counts of patients under this are hidden.
    """

    dataset: dict[str, Any] = field(default_factory=dict)
    epochs: Sequence[dict[str, Any]] = ()
    evaluations: Sequence[dict[str, Any]] = ()
    n_test_patients: int | None = None
    least: int = 1


def model_card(description: dict[str, Any], beside: Beside | None = None) -> str:
    """Markdown card of an encoder.

    Parameters
    ----------
    description : dict
        See `training.export.PretrainedEncoder`.
    beside : Beside, optional
        What is known besides.
    """
    beside = beside or Beside()
    given = description["input"]
    parts = (
        f"# Model card: {' and '.join(given['channels'])} encoder",
        f"## What it is\n{_what(description)}",
        f"## How to load it\n{LOADING}",
        f"## What it expects\n{_expects(given)}",
        f"## What it was trained on\n{_data(description, beside)}",
        f"## How\n{_how(description)}",
        f"## Validation\n{_validation(description, beside)}",
        f"## Evaluation\n{_evaluation(beside)}",
        f"## Limits\n{LIMITS}",
    )
    return "\n\n".join(parts) + "\n"


LOADING = """```python
from ecgppg import load_encoder

encoder = load_encoder("encoder")       # this folder, wherever it was copied to
vectors = encoder.embed(signals_NCT)    # float32 (N, embedding_dim) from windows in physical units
```"""

LIMITS = """- Learnt from recordings like those above: not tried on ambulatory, paediatric or 12-lead diagnostic ones.
- The filters are right for rhythm and wrong for ST segments; absolute amplitude is not seen.
- Windows of one patient resemble each other: an embedding may tell who before it tells what. Judge by patients, and on
  patients it was not trained on: those are listed in `encoder.json`.
- Not a medical device, and no substitute for reading the strip.
- Trained on data under a use agreement, the weights may fall under it too."""

EVALUATED = """Where an encoder was trained for each fold, the numbers are of the same settings on this dataset,
and not of the weights in this folder."""


def _what(description: dict[str, Any]) -> str:
    encoder, given, weights = description["encoder"], description["input"], description["weights"]
    widths = ", ".join(map(str, encoder.get("hidden_dims", ())))
    n_blocks = encoder.get("blocks_per_stage", 2)
    stages = f" with stages of {widths} features, {n_blocks} block{'s' if n_blocks > 1 else ''} each" if widths else ""
    return (
        f"A {encoder['name']}{stages}. It turns a window of "
        f"{given['segment_seconds']:g} s at {given['sampling_rate_hz']:g} Hz into {encoder['embedding_dim']} numbers.\n"
        f"Weights of epoch {weights['epoch']} of {weights['epochs_trained']} ({weights['chosen']})."
    )


def _expects(given: dict[str, Any]) -> str:
    return (
        f"Channels {', '.join(given['channels'])} in this order (or by name: `encoder.embed(x, channels=[...])`), in "
        f"physical units and filtered: {given['filters']}.\nAn absent channel is all zeros. Each channel of each "
        "window is centred and scaled on its own."
    )


def _data(description: dict[str, Any], beside: Beside) -> str:
    least = beside.least
    rows = [
        ("train", f"{description['n_train_windows']:,}", shown(len(description["train_subject_ids"]), least)),
        (
            "val (chose the epoch)",
            f"{description['n_val_windows']:,}",
            shown(len(description["val_subject_ids"]), least),
        ),
    ]
    if beside.n_test_patients is not None:
        rows.append(("test (never seen)", "", shown(beside.n_test_patients, least)))
    lines = [f"Dataset content hash `{description['dataset_content_hash']}`."]
    if beside.dataset:
        built = beside.dataset["settings"]
        lines.append(
            f"Source {built['source']}; {beside.dataset['n_segments']:,} windows of "
            f"{beside.dataset['n_patients']:,} patients; a window needs {', '.join(built['required_channels'])}."
        )
    lines += ["", "| split, by patient | windows | patients |", "|---|---:|---:|"]
    lines += [f"| {name} | {windows} | {patients} |" for name, windows, patients in rows]
    lines += ["", "Results on patients of train or val are results on training data; `encoder.json` lists them."]
    return "\n".join(lines)


def _how(description: dict[str, Any]) -> str:
    training = description["training"]
    asked = objective_words(training)
    terms = [f"{TERMS[name]} (`{name}`, weight {weight:g})" for name, weight in asked.weights.items()]
    listed = "\n".join(f"- {words}" for words in (*terms, *asked.besides))
    crop_samples = round(training["crop_seconds"] * description["input"]["sampling_rate_hz"])
    views = Augmentation.of_strength(
        crop_samples, description["input"]["sampling_rate_hz"], training.get("augmentation_strength", 1.0)
    )
    learnt = ", learnt" if training.get("learnable_temperature") else ""
    apart = "are" if training.get("same_patient_negatives", True) else "are never"
    contrastive = (
        f"Contrastive terms are NT-Xent at temperature {training['temperature']:g}{learnt}; windows of one patient "
        f"{apart} each other's negatives."
        if asked.compares
        else "No term is contrastive."
    )
    sentences = (
        contrastive,
        f"Views: crops of {training['crop_seconds']:g} s, gain up to",
        f"{views.max_gain:.3g} times, noise up to {views.max_noise:g} and baseline wander up to",
        f"{views.max_wander:g} of a normalised signal, spectral jitter of {views.spectral_jitter:g},",
        f"blanks of up to {views.max_masked_share:.0%}. Time was never stretched, so rate and irregularity",
        f"are kept. AdamW, peak rate {training['learning_rate']:g}, weight decay {training['weight_decay']:g},",
        f"batches of {training['batch_size']}, seed {training['seed']}.",
    )
    return f"Without any label. Terms of the loss:\n\n{listed}\n\n{' '.join(sentences)}"


def _validation(description: dict[str, Any], beside: Beside) -> str:
    weights = description["weights"]
    chosen = next((row for row in beside.epochs if row.get("epoch") == weights["epoch"]), {})
    numbers = [("validation loss", weights["val_loss"]), ("training loss", chosen.get("train_loss"))]
    numbers += [(words, chosen.get(key)) for key, words in WATCHED.items()]
    known = [(words, value) for words, value in numbers if isinstance(value, int | float)]
    if not known:
        return "No validation windows: the last epoch was taken as it was."
    n_patients = shown(len(description["val_subject_ids"]), beside.least)
    lines = [f"Of the weights' epoch, on {n_patients} patients outside training:", ""]
    lines += ["| measure | value |", "|---|---:|", *(f"| {words} | {value:.4g} |" for words, value in known)]
    return "\n".join(lines)


def _evaluation(beside: Beside) -> str:
    if not beside.evaluations:
        return "None yet. `ecgppg evaluate` measures it on a label, beside hand-made features and an untrained encoder."
    pages = [markdown(results, least=beside.least) for results in beside.evaluations]
    below = [page.replace("\n## ", "\n#### ").replace("# ", "### ", 1).rstrip() for page in pages]
    return "\n\n".join([EVALUATED, *below])
