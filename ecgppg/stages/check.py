"""Verify every artefact of an output folder against its completion record, its schema and its neighbours."""

from dataclasses import dataclass, field
from pathlib import Path

from ecgppg.config.schema import SPLITS, OutputLayout, completion_path
from ecgppg.stages.check_counts import WEIGHTS, count_problems
from ecgppg.stages.check_files import RECORD_SUFFIX, file_problems, is_dataset
from ecgppg.stages.check_settings import settings_problems


@dataclass
class Checked:
    """What a check found.

    Attributes
    ----------
    seen : list of Path
        Artefacts that were looked at.
    problems : list of str
        One line each; empty when all is well.
    notes : list of str
        Lines that tell what was verified, or could not be, and are no problem.
    """

    seen: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(layout: OutputLayout, deep: bool = False) -> Checked:
    """Check what is there.

    Parameters
    ----------
    layout : OutputLayout
        The output folder, of a finished build or an unfinished one.
    deep : bool
        Decode every signal, recompute the content hash, and sum the waveform files that the build read.

    Returns
    -------
    Checked
    """
    from ecgppg.store.check import check_dataset, check_embeddings, check_metadata

    checked = Checked()
    for record in sorted(layout.root.rglob(f"*{RECORD_SUFFIX}")):
        artefact = record.with_name(record.name.removesuffix(RECORD_SUFFIX))
        checked.seen.append(artefact)
        checked.problems += file_problems(artefact)
        if is_dataset(artefact) and artefact.is_file():
            checked.problems += check_dataset(artefact, deep=deep)
    if layout.dataset.is_file():
        if not completion_path(layout.dataset).is_file():
            checked.seen.append(layout.dataset)
            checked.problems += [f"{layout.dataset}: has no completion record", *check_dataset(layout.dataset, deep)]
        checked.problems += check_metadata(layout.metadata, layout.dataset)
    for path in (layout.embeddings, *(layout.embeddings_of(split) for split in SPLITS)):
        if path.is_file():
            checked.problems += check_embeddings(path)
    checked.problems += _without_record(layout) + count_problems(layout) + settings_problems(layout)
    if deep:
        from ecgppg.stages.check_waveforms import waveform_notes

        checked.notes += waveform_notes(layout)
    checked.problems = list(dict.fromkeys(checked.problems))
    return checked


def _without_record(layout: OutputLayout) -> list[str]:
    """Artefacts that their stage always records, and whose record is gone.

    A checkpoint may lack one: a kill between the two leaves it so.
    """
    tables = (layout.features, layout.features_dictionary, layout.linkage, layout.patient_labels)
    built = tables if layout.dataset.is_file() else ()
    recorded = (
        *built, layout.metadata, layout.card_json, layout.splits, layout.embeddings, layout.patterns, layout.report,
        *(layout.embeddings_of(split) for split in SPLITS), layout.stroke / "stroke_report.json",
        layout.validation / "validation.json", layout.encoder / WEIGHTS,
    )  # fmt: skip
    return [f"{p}: has no completion record" for p in recorded if p.is_file() and not completion_path(p).is_file()]
