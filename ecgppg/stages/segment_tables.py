"""The tables beside the dataset: metadata of every segment, linkage, labels by patient and features."""

from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import atomic_path, write_completion
from ecgppg.stages.join import Joined


def write_tables(joined: Joined, layout: OutputLayout) -> None:
    """Write the tables, each with its completion record; the dataset is this process's own, finished and recorded."""
    from ecgppg.stages.feature_table import write_features
    from ecgppg.store.metadata import write_metadata
    from ecgppg.store.reader import frames, open_file

    content = {"labels_hash": joined.provenance.get("labels_hash")}
    with open_file(layout.dataset, audited=True) as file:
        content["content_hash"] = file.attrs["content_hash"]
        n_rows = write_metadata(layout.metadata, layout.metadata_pickle, frames(file))
    write_completion(layout.metadata, content, n_rows)
    for path, table in ((layout.linkage, joined.linkage), (layout.patient_labels, joined.patient_labels)):
        if table is not None:
            with atomic_path(path) as temporary:
                table.to_parquet(temporary, index=False)
            write_completion(path, content, len(table))
    if joined.features is not None:
        write_features(joined.features, layout, content)
