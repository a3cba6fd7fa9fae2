"""Clinical features without waveforms: one row an admission, index time the first ICU intime."""

import logging
from pathlib import Path
from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings

log = logging.getLogger("ecgppg.clinical")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write clinical_features.csv and its dictionary from the tables alone; returns n_rows."""
    from ecgppg.clinical.code_lists import load_definitions
    from ecgppg.clinical.counts import count_definitions, count_lines
    from ecgppg.clinical.features import rows_from_first_icu
    from ecgppg.clinical.tables import read_tables
    from ecgppg.stages.feature_table import make_features, write_features

    assert settings.clinical_dir
    tables = read_tables(Path(settings.clinical_dir))
    for notice in tables.notices():
        log.info("clinical tables: %s", notice)
    definitions = load_definitions(Path(settings.code_lists) if settings.code_lists else None)
    rows = rows_from_first_icu(tables, settings.min_age_years)
    counts = count_definitions(tables, definitions, rows["subject_id"].unique())
    log.info("\n".join(count_lines(counts, settings.min_cell_patients)))
    table = make_features(tables, definitions, rows, settings)
    write_features(table, layout, settings.content("label"))
    log.info("%d rows of clinical features, no waveforms", len(table.features))
    return {"n_rows": len(table.features)}
