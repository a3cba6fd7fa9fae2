"""TensorBoard's own projector reads the sample of embeddings."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecgppg.config.schema import OutputLayout
from ecgppg.stages import train as train_stage
from ecgppg.stages.train import windows_of
from ecgppg.training.embedding_sample import CONFIG, METADATA, TENSORS, ordinals
from ecgppg.training.export import read_encoder
from tests.small_dataset import small_settings, write_small_dataset


@pytest.mark.parametrize("least", [1, 11])
def test_the_projector_reads_the_validation_windows(tmp_path: Path, least: int) -> None:
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
    from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file

    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout)
    train_stage.run(small_settings(num_epochs=1, min_cell_patients=least), layout)
    config = text_format.Parse((layout.tensorboard / CONFIG).read_text(), ProjectorConfig())
    (shown,) = config.embeddings
    assert (shown.tensor_path, shown.metadata_path) == (TENSORS, METADATA)
    val = windows_of(layout, "val")
    expected_ND = read_encoder(layout.encoder).embed(val.source.read(val.row_N))
    np.testing.assert_allclose(_read_tensor_tsv_file(str(layout.tensorboard / TENSORS)), expected_ND, rtol=1e-4)
    head, *rows = [line.split("\t") for line in (layout.tensorboard / METADATA).read_text().splitlines()]
    assert head == ["heart_rate_bpm", "rr_cv", "quality", "patient"]
    patients = [int(row[3]) for row in rows]
    assert patients == (val.subject_id_N.tolist() if least == 1 else ordinals(val.subject_id_N))
    assert set(patients) == ({2, 6, 10} if least == 1 else {1, 2, 3})


def test_ordinals_tell_patients_apart_and_not_who_they_are() -> None:
    assert ordinals(np.array([77, 5, 77, 900, 5])) == [1, 2, 1, 3, 2]
