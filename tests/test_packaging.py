"""pyproject.toml, requirements.lock and environment.yml agree."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ASKED_FOR = (
    "h5py", "wfdb", "numpy", "scipy", "pandas", "torch", "neurokit2", "joblib", "umap-learn", "hdbscan", "pyarrow",
)  # fmt: skip


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_lock_satisfies_every_range() -> None:
    pins = locked()
    extras = project()["optional-dependencies"]
    requirements = project()["dependencies"] + [line for lines in extras.values() for line in lines]
    for requirement in map(Requirement, requirements):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked"
        assert requirement.specifier.contains(version), f"{requirement} does not admit {version}"


def test_the_packages_asked_for_are_declared() -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in project()["dependencies"]}
    assert {canonicalize_name(name) for name in ASKED_FOR} <= declared


def test_torch_is_pinned_as_tested() -> None:
    assert locked()["torch"] == "2.13.0"
    assert not [name for name in locked() if re.match(r"nvidia|triton|cuda", name)]


def test_conda_installs_the_same_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == "ecgppg"
    python = next(d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python="))
    assert python.removeprefix("python=") in project()["requires-python"]
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pip == ["-r requirements.lock"]


def test_versions_agree() -> None:
    import ecgppg

    assert ecgppg.__version__ == project()["version"]
    assert f"version: {ecgppg.__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {ecgppg.__version__}" in (ROOT / "CHANGELOG.md").read_text()
