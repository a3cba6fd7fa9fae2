"""The command line: fast help, and one clear line with exit 2 for every mistake a user can make."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (
    "production_pipeline.py",
    "scripts/clustering_pipeline.py",
    "scripts/validate_patterns.py",
    "scripts/stroke_prediction.py",
)


def processor_s() -> float:
    """Of the commands run so far: what a clock says grows with whatever else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_answers_at_once_with_examples(command: str) -> None:
    times_s = []
    for _ in range(3):
        began_s = processor_s()
        result = run(command, "--help")
        times_s.append(processor_s() - began_s)
        assert result.returncode == 0
    assert "examples:" in result.stdout
    assert "OUT" in result.stdout
    assert min(times_s) < 0.3


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from ecgppg.cli.production import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic', 'h5py', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    result = run("-c", code)
    assert result.returncode == 0, result.stderr


MISTAKES = {
    "no output folder": ((), "--output-dir"),
    "no waveforms": (("--build-dataset", "--output-dir", "{tmp}/o"), "--waveforms"),
    "unknown flag": (("--output", "{tmp}"), "unrecognized arguments: --output"),
    "two actions": (("--demo", "--check", "--output-dir", "{tmp}"), "not allowed with"),
    "wrong number": (("--max-patients", "many", "--output-dir", "{tmp}"), "invalid int value: 'many'"),
    "zero patients": (("--max-patients", "0", "--output-dir", "{tmp}"), "max_patients"),
    "unknown source": (("--source", "edf", "--output-dir", "{tmp}"), "invalid choice: 'edf'"),
    "unknown key": (("--set", "chunksize=5", "--output-dir", "{tmp}"), "did you mean chunk_size?"),
    "no equals sign": (("--set", "chunk_size", "--output-dir", "{tmp}"), "expected key=value"),
    "wrong value": (("--set", "temperature=hot", "--output-dir", "{tmp}"), "setting temperature"),
    "absent config": (("--config", "{tmp}/none.json"), "cannot be read"),
    "absent waveforms": (("--build-dataset", "--waveforms", "{tmp}/none", "--output-dir", "{tmp}/o"), "no such folder"),
    "empty waveforms": (("--build-dataset", "--waveforms", "{tmp}/empty", "--output-dir", "{tmp}/o"), "{tmp}/empty"),
    "absent tables": (
        ("--build-dataset", "--waveforms", "{tmp}/empty", "--clinical", "{tmp}/none", "--output-dir", "{tmp}/o"),
        "--clinical",
    ),
    "train without data": (("--train-only", "--output-dir", "{tmp}/o"), "no dataset"),
    "embed without training": (("--embed-only", "--output-dir", "{tmp}/o"), "no dataset"),
    "relabel without data": (("--relabel", "--output-dir", "{tmp}/o"), "no dataset"),
    "check of nothing": (("--check", "--output-dir", "{tmp}/none"), "no such folder"),
    "check of a foreign folder": (("--check", "--output-dir", "{tmp}/empty"), "nothing of ours"),
    "deep without check": (("--deep", "--output-dir", "{tmp}"), "--deep goes with --check"),
    "output is a file": (("--build-dataset", "--output-dir", "{tmp}/a file"), "is a file"),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda name: name.replace(" ", "-"))
def test_a_mistake_is_one_line_and_exit_2(mistake: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a file").write_text("")
    words, expected = MISTAKES[mistake]
    result = run("production_pipeline.py", *(word.replace("{tmp}", str(tmp_path)) for word in words))
    assert result.returncode == 2, result.stderr
    assert expected.replace("{tmp}", str(tmp_path)) in result.stderr
    said = [line for line in result.stderr.splitlines() if line and not line.startswith("== ")]
    assert len(said) == 1, result.stderr


@pytest.mark.parametrize(
    ("script", "option"), list(zip(COMMANDS[1:], ("--embeddings", "--patterns", "--features"), strict=True))
)
def test_a_script_says_which_file_is_missing(script: str, option: str, tmp_path: Path) -> None:
    result = run(script, option, tmp_path / "a" / "none.npz")
    assert result.returncode == 2
    assert result.stderr.strip().endswith("no such file")
    assert not (tmp_path / "a").exists()
    assert run(script).returncode == 2


def test_the_installed_command_has_the_same_functions(tmp_path: Path) -> None:
    from ecgppg.cli.main import COMMANDS as SUBCOMMANDS

    usage = run("-m", "ecgppg", "--help")
    assert usage.returncode == 0
    assert all(f"  {name} " in usage.stdout for name in SUBCOMMANDS)
    assert run("-m", "ecgppg", "biuld").returncode == 2
    assert "--waveforms" in run("-m", "ecgppg", "build", "--output-dir", tmp_path / "o").stderr
