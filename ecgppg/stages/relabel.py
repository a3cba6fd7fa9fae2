"""New label definitions for a dataset that is built: labels, features and card change, no signal does."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from ecgppg.config.errors import ConfigError, InputError
from ecgppg.config.schema import CLINICAL_COLUMNS, OutputLayout, is_label
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, write_completion
from ecgppg.sources.find import find_patients
from ecgppg.stages.card import write_card
from ecgppg.stages.join import ClinicJoin, linkage_counts
from ecgppg.stages.segment_tables import write_tables
from ecgppg.store.merged_rows import MergedRows
from ecgppg.store.writer import replace_columns

log = logging.getLogger("ecgppg.build")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Join the clinic anew.

    Parameters
    ----------
    settings : Settings
        The new definitions; the build's own settings are not looked at.
    layout : OutputLayout
        Its dataset must be complete.

    Returns
    -------
    dict
        n_segments; risk_reserve, see `risk_reserve.reserve_standing`.

    Raises
    ------
    InputError
        There is no finished dataset, or its bytes have changed since.
    ConfigError
        The new definitions lack the primary outcome of the splits.
    """
    _require_primary_outcome(settings, layout)
    # Signals are copied as they lie: a fault in them would be recorded anew as if it were theirs.
    record = read_completion(layout.dataset, verify=True)
    if record is None:
        raise InputError(f"{layout.dataset}: is not as it was finished; --check says more, --build-dataset builds it")
    with MergedRows([layout.dataset]) as rows:
        in_file = set(rows.source(0).file["segments"])
        stale = [name for name in in_file if is_label(name) or name in {column.name for column in CLINICAL_COLUMNS}]
        subject_ids = [run.subject_id for run in rows.runs]
        join = ClinicJoin(find_patients(settings), rows.n_of_record, subject_ids, settings)
        blocks = (join.columns(rows.columns(block)) for block in rows.blocks())
        replace_columns(layout.dataset, layout.dataset, blocks, drop=stale)
    joined = join.finish()
    unlinked = Counter({key: n for key, n in record["counts"].items() if not key.startswith("linked:")})
    write_completion(
        layout.dataset, record["content"], record["rows"], counts=dict(unlinked + linkage_counts(joined.linkage)),
        tally=record["tally"], subjects=record["subjects"], seconds=record["seconds"], labels=joined.provenance,
        quarantined=record["quarantined"],
    )  # fmt: skip
    write_tables(joined, layout)
    card = write_card(settings, layout)
    log.info("relabelled %s segments; signals untouched", f"{record['rows']:,}")
    reserve = card["risk_reserve"]
    if reserve:
        log.warning("%s", reserve["note"])
    for path in (layout.validation, layout.stroke, layout.report):
        if path.exists():
            log.warning("%s: was made with the labels before; make it again", path)
    return {"n_segments": record["rows"], "risk_reserve": reserve}


def _require_primary_outcome(settings: Settings, layout: OutputLayout) -> None:
    """Splits stay, and what their risk reserve holds must still have a name."""
    from ecgppg.clinical.code_lists import load_definitions
    from ecgppg.clinical.labels import label_columns

    outcome = settings.primary_outcome
    labels = label_columns(load_definitions(Path(settings.code_lists) if settings.code_lists else None))
    if layout.splits.is_file() and not outcome.startswith("label_") and not {outcome, f"{outcome}_this"} & set(labels):
        raise ConfigError(f"{settings.code_lists}: code_lists: labels lacks {outcome}, the primary_outcome")
