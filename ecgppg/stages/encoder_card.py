"""The encoder's model card, written anew with what has come to lie beside it since: its epochs and its evaluation."""

from ecgppg.config.schema import SPLITS, OutputLayout
from ecgppg.core.files import read_completion, read_json, write_completion, write_text
from ecgppg.core.side_files import FILES, fingerprint, side_files
from ecgppg.stages.evaluation_results import read_judged
from ecgppg.training.export import CARD, DESCRIPTION, WEIGHTS
from ecgppg.training.model_card import Beside, model_card
from ecgppg.training.monitor import read_metrics

WRITTEN_BY_RECORD = ("artefact", "schema_version", "config_hash", "content", "rows", "bytes", "crc32", FILES)


def refresh_card(layout: OutputLayout) -> None:
    """Write OUT/encoder/model_card.md from what lies in the output folder; nothing where there is no whole encoder."""
    weights, card = layout.encoder / WEIGHTS, layout.encoder / CARD
    record, description = read_completion(weights), read_json(layout.encoder / DESCRIPTION)
    if record is None or not isinstance(description, dict):
        return
    text = model_card(description, _beside(layout, description["dataset_content_hash"]))
    said = card.is_file() and card.read_text(encoding="utf-8") == text
    if said and record.get(FILES, {}).get(CARD) == fingerprint(card):
        return
    write_text(card, text)
    kept = {key: value for key, value in record.items() if key not in WRITTEN_BY_RECORD}
    files = side_files(layout.encoder, [layout.encoder / DESCRIPTION, card])
    write_completion(weights, record["content"], record["rows"], files=files, **kept)


def _beside(layout: OutputLayout, content_hash: str) -> Beside:
    dataset = read_json(layout.card_json)
    if not isinstance(dataset, dict) or dataset.get("content_hash") != content_hash:
        dataset = {}
    return Beside(dataset, read_metrics(layout.metrics), read_judged(layout), _n_test_patients(layout))


def _n_test_patients(layout: OutputLayout) -> int | None:
    if not layout.splits.is_file():
        return None
    from ecgppg.stages.split import read_splits

    return int((read_splits(layout.splits)["split"] == SPLITS[-1]).sum())
