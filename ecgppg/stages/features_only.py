"""Clinical features without waveforms: one row an admission, index time the first ICU intime."""

import logging
from pathlib import Path
from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import atomic_path, write_completion

log = logging.getLogger("ecgppg.clinical")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write clinical_features.csv from the tables alone; returns n_rows."""
    from ecgppg.clinical.code_lists import load_definitions
    from ecgppg.clinical.features import clinical_features, rows_from_first_icu
    from ecgppg.clinical.tables import read_tables

    assert settings.clinical_dir
    tables = read_tables(Path(settings.clinical_dir))
    for notice in tables.notices():
        log.info("clinical tables: %s", notice)
    definitions = load_definitions(Path(settings.code_lists) if settings.code_lists else None)
    features = clinical_features(tables, definitions, rows_from_first_icu(tables, settings.min_age_years))
    with atomic_path(layout.features) as temporary:
        features.to_csv(temporary, index=False)
    write_completion(layout.features, settings.content("label"), len(features))
    log.info("%d rows of clinical features, no waveforms", len(features))
    return {"n_rows": len(features)}
