"""Compiled kernels are kept by the state of all their source, in a folder of the user's own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "ecgppg"


def folder_of(package: Path, **environment: str) -> str:
    code = f"import sys; sys.path.insert(0, {str(package.parent)!r})\nfrom ecgppg.core import compiled\n"
    code += "assert compiled.__file__.startswith(sys.path[0])\nprint(compiled.cache_folder())"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return run.stdout.strip()


def test_a_change_in_any_kernel_gives_another_folder(tmp_path: Path) -> None:
    package = tmp_path / "ecgppg"
    for name in ("__init__.py", "core/__init__.py", "core/compiled.py", "waveform/moving.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PACKAGE / name, package / name)
    first = folder_of(package)
    assert Path(first).parent == package / "__pycache__"
    assert folder_of(package) == first
    assert folder_of(package, NUMBA_CACHE_DIR=str(tmp_path / "shared")).startswith(str(tmp_path / "shared"))
    (package / "waveform/moving.py").write_text((package / "waveform/moving.py").read_text() + "\n")
    assert folder_of(package) != first
