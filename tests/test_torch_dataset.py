"""A dataset file through torch's own DataLoader, and an encoder from a folder alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ecgppg import load_encoder, open_dataset, torch_dataset
from ecgppg.config.errors import ConfigError, InputError, RefusedError
from ecgppg.config.schema import OutputLayout
from ecgppg.stages import train as train_stage
from ecgppg.stages.split import read_splits
from tests.small_dataset import small_settings, write_small_dataset


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    layout = OutputLayout(tmp_path_factory.mktemp("out"))
    write_small_dataset(layout, n_patients=8, n_windows=6, without_ppg=True)
    return layout


@pytest.mark.parametrize("workers", [0, 2])
def test_a_plain_loader_gives_every_window_once(layout: OutputLayout, workers: int) -> None:
    dataset = open_dataset(layout.dataset)
    loader = DataLoader(
        torch_dataset(layout.dataset, columns=["record", "n_beats"]), batch_size=10, num_workers=workers
    )
    batches = list(loader)
    assert [len(batch["signals"]) for batch in batches] == [10, 10, 10, 10, 8]
    x_NCT = torch.cat([batch["signals"] for batch in batches])
    assert x_NCT.dtype == torch.float32
    np.testing.assert_array_equal(x_NCT.numpy(), dataset.read(range(len(dataset))))
    for name in ("segment_id", "subject_id", "n_beats"):
        np.testing.assert_array_equal(torch.cat([batch[name] for batch in batches]), dataset.column(name))
    assert [name for batch in batches for name in batch["record"]] == dataset.column("record").astype(str).tolist()
    np.testing.assert_array_equal(torch.cat([batch["present"] for batch in batches]), [[1.0, 0.0]] * len(dataset))


def test_a_split_holds_its_patients_alone(layout: OutputLayout, tmp_path: Path) -> None:
    splits = read_splits(layout.splits).set_index("subject_id")["split"]
    seen = [torch_dataset(layout.dataset, split) for split in ("train", "val", "test")]
    assert sum(map(len, seen)) == len(torch_dataset(layout.dataset)) == 48
    for split, windows in zip(("train", "val", "test"), seen, strict=True):
        assert {splits[item["subject_id"]] for item in windows} == {split}
    assert seen[0][-1]["segment_id"] == seen[0][len(seen[0]) - 1]["segment_id"]
    with pytest.raises(IndexError):
        seen[0][len(seen[0])]
    with pytest.raises(ConfigError, match="none of train, val, test"):
        torch_dataset(layout.dataset, "dev")
    with pytest.raises(InputError, match="no column label_x"):
        torch_dataset(layout.dataset, columns=["label_x"])
    with pytest.raises(InputError, match="more than one value"):
        torch_dataset(layout.dataset, columns=["gain"])
    shutil.copy(layout.dataset, tmp_path / "alone.h5")
    with pytest.raises(RefusedError, match=r"splits\.parquet"):
        torch_dataset(tmp_path / "alone.h5", "train")


def test_an_encoder_works_from_its_folder_alone_in_another_process(layout: OutputLayout, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    train_stage.run(small_settings(num_epochs=1), layout)
    shutil.copytree(layout.encoder, tmp_path / "far away")
    x_NCT = open_dataset(layout.dataset).read(range(5))
    np.save(tmp_path / "x.npy", x_NCT)
    program = (
        "from ecgppg import load_encoder\nimport numpy as np\n"
        "np.save('z.npy', load_encoder('far away').embed(np.load('x.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), load_encoder(layout.encoder).embed(x_NCT), atol=1e-5)


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, ecgppg; print(sorted({'torch', 'numpy', 'h5py', 'pandas'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
