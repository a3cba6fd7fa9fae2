"""Layers import downwards only: the rule of the house, read from the imports themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "ecgppg"
LAYERS = (
    ("__main__", "cli"),
    ("pipeline", "api"),
    ("preflight",),
    ("stages",),
    ("discovery", "risk", "training", "synthetic", "interop"),
    ("evaluation",),
    ("data", "models", "objectives"),
    ("store", "waveform", "clinical", "sources"),
    ("config", "core"),
)
STRANGERS = {"store", "waveform", "clinical", "sources"}
"""Rooms of one layer that must not know one another."""
FORBIDDEN = {"waveform": {"torch", "pandas"}, "clinical": {"torch", "wfdb", "h5py"}}
PURE_TORCH = {"torch", "numpy", "math", "dataclasses", "typing", "collections", "ecgppg", "__future__"}
HEAVY = {
    "torch",
    "neurokit2",
    "umap",
    "hdbscan",
    "fast_hdbscan",
    "sklearn",
    "matplotlib",
    "wfdb",
    "statsmodels",
    "dask",
    "distributed",
    "ray",
}
LIGHT_ROOMS = {"config", "core", "cli", "pipeline", "sources"}


def imports() -> Iterator[tuple[Path, int, str, bool]]:
    """(file, line, module, at the top of the file) of every import in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield path, node.lineno, alias.name, id(node) in top
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert node.level == 0, f"{path}:{node.lineno}: relative import"
                names = [f"{node.module}.{a.name}" for a in node.names] if node.module == "ecgppg" else [node.module]
                for name in names:
                    yield path, node.lineno, name, id(node) in top


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def level(name: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if name in layer)


def test_layers_import_downwards_only() -> None:
    wrong = []
    for path, line, module, _ in imports():
        parts = module.split(".")
        if parts[0] != "ecgppg" or len(parts) < 2 or parts[1] == "__version__":
            continue
        here, there = room(path), parts[1]
        if here == "__init__":
            continue
        upwards = level(there) < level(here)
        sideways = here != there and here in STRANGERS and there in STRANGERS
        if upwards or sideways:
            wrong.append(f"{path}:{line}: {here} imports {there}")
    assert not wrong, "\n".join(wrong)


def test_every_module_stands_in_a_known_room() -> None:
    known = {name for layer in LAYERS for name in layer} | {"__init__"}
    assert {room(path) for path in PACKAGE.rglob("*.py")} <= known


def test_rooms_keep_to_their_libraries() -> None:
    wrong = [
        f"{path}:{line}: {room(path)} imports {module}"
        for path, line, module, _ in imports()
        if module.split(".")[0] in FORBIDDEN.get(room(path), set())
    ]
    assert not wrong, "\n".join(wrong)


def test_models_and_objectives_are_pure_torch() -> None:
    wrong = [
        f"{path}:{line}: {room(path)} imports {module}"
        for path, line, module, _ in imports()
        if room(path) in ("models", "objectives") and module.split(".")[0] not in PURE_TORCH
    ]
    assert not wrong, "\n".join(wrong)


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    wrong = [
        f"{path}:{line}: {module} at the top of a light module"
        for path, line, module, top in imports()
        if top and room(path) in LIGHT_ROOMS and module.split(".")[0] in HEAVY | {"pandas", "pyarrow", "h5py"}
    ]
    assert not wrong, "\n".join(wrong)


def test_files_are_short_enough_to_read_in_one_sitting() -> None:
    root = PACKAGE.parent
    files = [*PACKAGE.rglob("*.py"), *root.glob("*.py"), *root.glob("scripts/*.py"), *root.glob("tests/*.py")]
    long = [f"{path}: {n} lines" for path in files if (n := len(path.read_text().splitlines())) > 400]
    assert not long, "\n".join(long)
