"""docs/labels.md speaks of every label that the definitions hold, with its codes."""

import re
from pathlib import Path

import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.labels import label_columns

TEXT = (Path(__file__).parents[1] / "docs" / "labels.md").read_text(encoding="utf-8")
DEFINITIONS = load_definitions()


@pytest.mark.parametrize("name", [*DEFINITIONS.labels, *(c for c in label_columns(DEFINITIONS) if "death" in c)])
def test_every_label_has_a_row(name):
    rows = [line for line in TEXT.splitlines() if line.startswith("| `") and f"`{name}`" in line.split("|")[1]]
    assert len(rows) == 1
    if name in DEFINITIONS.labels:
        told = set(re.findall(r"[EV]?\d{2,3}(?:\.[\dx]+)?", rows[0].split("|")[2]))
        stems = {code.split(".")[0] for pattern in DEFINITIONS.labels[name].codes for code in pattern.split("-")}
        assert stems <= {code.split(".")[0] for code in told}
