"""The encoder's model card, written anew with what has come to lie beside it since: its epochs and its evaluation."""

from ecgppg.config.schema import SPLITS, OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, read_json, write_completion, write_text
from ecgppg.core.side_files import FILES, fingerprint, side_files
from ecgppg.stages.evaluation_results import read_results
from ecgppg.training.export import CARD, DESCRIPTION, WEIGHTS
from ecgppg.training.model_card import Beside, model_card
from ecgppg.training.monitor import read_metrics

WRITTEN_BY_RECORD = ("artefact", "schema_version", "config_hash", "content", "rows", "bytes", "crc32", FILES)


def refresh_card(settings: Settings, layout: OutputLayout) -> None:
    """Write OUT/encoder/model_card.md from what lies in the output folder; nothing where there is no whole encoder.

    Raises
    ------
    InputError
        If results of an evaluation are not what `evaluate` writes.
    """
    weights, card = layout.encoder / WEIGHTS, layout.encoder / CARD
    record, description = read_completion(weights), read_json(layout.encoder / DESCRIPTION)
    if record is None or not isinstance(description, dict):
        return
    text = model_card(description, _beside(settings, layout, description["dataset_content_hash"]))
    said = card.is_file() and card.read_text(encoding="utf-8") == text
    if said and record.get(FILES, {}).get(CARD) == fingerprint(card):
        return
    write_text(card, text)
    kept = {key: value for key, value in record.items() if key not in WRITTEN_BY_RECORD}
    files = side_files(layout.encoder, [layout.encoder / DESCRIPTION, card])
    write_completion(weights, record["content"], record["rows"], files=files, **kept)


def _beside(settings: Settings, layout: OutputLayout, content_hash: str) -> Beside:
    dataset = read_json(layout.card_json)
    if not isinstance(dataset, dict) or dataset.get("content_hash") != content_hash:
        dataset = {}
    evaluations = [results for _, results in read_results(layout)]
    return Beside(
        dataset, read_metrics(layout.metrics), evaluations, _n_test_patients(layout), settings.min_cell_patients
    )


def _n_test_patients(layout: OutputLayout) -> int | None:
    if not layout.splits.is_file():
        return None
    from ecgppg.stages.split import read_splits

    return int((read_splits(layout.splits)["split"] == SPLITS[-1]).sum())
