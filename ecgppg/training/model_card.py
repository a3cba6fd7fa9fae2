"""The page a person reads before using an encoder."""

from typing import Any


def model_card(description: dict[str, Any]) -> str:
    """Markdown card of an encoder from its description (see `training.export`)."""
    given, weights = description["input"], description["weights"]
    training, encoder = description["training"], description["encoder"]
    loss = "" if weights["val_loss"] is None else f": {weights['val_loss']:.4f}"
    return f"""# Model card: {" and ".join(given["channels"])} encoder

## What it is
A {encoder["name"]} with stages of {", ".join(map(str, encoder["hidden_dims"]))} features. It turns a window of
{given["segment_seconds"]:g} s at {given["sampling_rate_hz"]:g} Hz into {encoder["embedding_dim"]} numbers. Weights of
epoch {weights["epoch"]} ({weights["chosen"]}{loss}).

## What it was trained on
{description["n_train_windows"]:,} windows of {len(description["train_subject_ids"]):,} patients; weights chosen on
{description["n_val_windows"]:,} windows of {len(description["val_subject_ids"]):,} others. Dataset content hash
`{description["dataset_content_hash"]}`. The patients are listed in `encoder.json`: results on any of them are results
on training data.

## How
NT-Xent at temperature {training["temperature"]:g} between two random views of a window: crops of
{training["crop_seconds"]:g} s, gain, noise, baseline wander, spectral jitter, short blanks. No label was used. Time was
never stretched, so rate and irregularity are kept.

## What it expects
Channels {", ".join(given["channels"])} in this order, in physical units and filtered: {given["filters"]}. An absent
channel is all zeros. Each channel of each window is centred and scaled on its own, so absolute amplitude is not seen.

## Limits
- Learnt from ICU monitors: not tried on ambulatory, paediatric or 12-lead diagnostic recordings.
- The filters are right for rhythm and wrong for ST segments.
- Windows of one patient resemble each other: an embedding may tell who before it tells what. Judge by patients.
- Not a medical device, and no substitute for reading the strip.
- Trained on data under a use agreement, the weights may fall under it too.
"""
