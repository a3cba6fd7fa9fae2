"""From embeddings to the few dimensions that are clustered, and to the two that are drawn.

Shapes: N windows, D embedding dimensions, K reduced dimensions.
"""

import warnings

import numpy as np

from ecgppg.config.settings import Settings

MAP_UMAP_WINDOWS = 20_000


def standardise(x_ND: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 in every dimension; a constant one becomes 0."""
    x_ND = np.asarray(x_ND, np.float64)
    spread = x_ND.std(axis=0)
    return (x_ND - x_ND.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def principal_components(x_ND: np.ndarray, n_components: int, seed: int) -> tuple[np.ndarray, float]:
    """Scores on the leading principal components of the standardised rows, not whitened.

    Parameters
    ----------
    x_ND : array, shape (N, D)
    n_components : int
        At most this many; fewer where N or D is smaller.
    seed : int
        Of the randomised decomposition.

    Returns
    -------
    scores_NK : array of float32
    explained : float
        Share of the variance they hold, 0 to 1.
    """
    from sklearn.decomposition import PCA

    k = min(n_components, *x_ND.shape)
    x_ND = standardise(x_ND)
    if not x_ND.any():
        return np.zeros((len(x_ND), k), np.float32), 0.0
    pca = PCA(n_components=k, random_state=seed)
    scores = pca.fit_transform(x_ND)
    return scores.astype(np.float32), float(pca.explained_variance_ratio_.sum())


def umap_coordinates(x_ND: np.ndarray, n_components: int, min_dist: float, settings: Settings) -> np.ndarray:
    """UMAP coordinates of the standardised rows, float32 (N, n_components), the same for the same seed."""
    import umap

    with warnings.catch_warnings():
        # A fixed random_state runs on one thread, and umap-learn says so every time.
        warnings.filterwarnings("ignore", message=".*n_jobs value.*")
        model = umap.UMAP(
            n_components=n_components,
            n_neighbors=min(settings.n_neighbors, len(x_ND) - 1),
            min_dist=min_dist,
            random_state=settings.seed,
            n_jobs=1,
            # The spectral start needs more rows than dimensions.
            init="spectral" if len(x_ND) > n_components + 2 else "random",
        )
        return np.asarray(model.fit_transform(standardise(x_ND)), np.float32)


def reduce_embeddings(x_ND: np.ndarray, settings: Settings) -> np.ndarray:
    """Coordinates given to the clustering, float32 (N, K), by `settings.reducer`."""
    if settings.reducer == "pca":
        return principal_components(x_ND, settings.n_components, settings.seed)[0]
    n_components = min(settings.n_components, max(2, len(x_ND) - 3))
    # Clusters are sought at distance 0: spreading them out is for the eye only.
    return umap_coordinates(x_ND, n_components, 0.0, settings)


def map_coordinates(x_ND: np.ndarray, reduced_NK: np.ndarray, settings: Settings) -> tuple[np.ndarray, str]:
    """Two dimensions for the picture, and the name of the method.

    UMAP where it was asked for or there are at most 20,000 windows; beyond that it would take longer than everything
    else, and the first two principal components are drawn.
    """
    if len(x_ND) < 5:
        padded = np.zeros((len(x_ND), 2), np.float32)
        padded[:, : min(2, reduced_NK.shape[1])] = reduced_NK[:, :2]
        return padded, "pca"
    if settings.reducer == "umap":
        return umap_coordinates(x_ND, 2, settings.min_dist, settings), "umap"
    if len(x_ND) <= MAP_UMAP_WINDOWS:
        return umap_coordinates(reduced_NK, 2, settings.min_dist, settings), "umap"
    return np.ascontiguousarray(reduced_NK[:, :2]), "pca"
