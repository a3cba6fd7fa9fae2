"""Settings of pattern discovery and its validation."""

from typing import Literal

from ecgppg.config.keys import SettingsPart, content


class DiscoverySettings(SettingsPart):
    """Reduction, clustering, and the tests that ask whether a cluster is a pattern or a patient."""

    discovery_splits: list[Literal["train", "val", "test"]] = content(
        "discover", ["val", "test"], "splits whose patients are clustered", min_length=1
    )
    include_train: bool = content("discover", False, "cluster patients the encoder was trained on too, and say so")
    max_windows_per_patient: int = content("discover", 100, "equal windows a patient: at most this many", ge=1)
    reducer: Literal["pca", "umap"] = content("discover", "pca", "what HDBSCAN clusters: PCA or UMAP coordinates")
    n_components: int = content("discover", 20, "dimensions given to HDBSCAN", ge=2, le=512)
    n_neighbors: int = content("discover", 15, "UMAP neighbours (map, and reducer umap)", ge=2, le=1000)
    min_dist: float = content("discover", 0.1, "UMAP minimum distance", ge=0, le=1)
    min_cluster_size: int = content("discover", 30, "HDBSCAN smallest cluster, windows", ge=2)
    min_samples: int = content("discover", 10, "HDBSCAN core neighbours", ge=1)
    n_stability_runs: int = content("discover", 5, "repeats on resampled patients", ge=2, le=100)
    n_exemplars: int = content("discover", 6, "strips shown per cluster", ge=1, le=50)
    n_permutations: int = content("validate", 2000, "patient-level permutations per test, at least", ge=100)
    alpha: float = content("validate", 0.05, "false discovery rate", gt=0, lt=0.5)
