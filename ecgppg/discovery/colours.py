"""Colours of clusters and patients, the same in every picture and in the explorer."""

import colorsys

from ecgppg.core.seeds import hash_unit

NOISE_COLOUR = "#c9ced6"
INK = "#1f2933"
MUTED = "#66727f"
# Twelve hues told apart by most eyes, dark enough on white; they repeat after that.
PALETTE = (
    "#2563a8", "#d1495b", "#2a9d6f", "#e08e2b", "#7b5ea7", "#0f9bb0",
    "#a0522d", "#c65f9e", "#6b8e23", "#48566a", "#b8a21e", "#5b8def",
)  # fmt: skip


def cluster_colour(cluster_id: int) -> str:
    """Hex colour of a cluster; grey for noise (-1)."""
    return NOISE_COLOUR if cluster_id < 0 else PALETTE[cluster_id % len(PALETTE)]


def patient_colour(subject_id: int) -> str:
    """Hex colour of a patient, by hash: neighbours in number are no neighbours in hue."""
    hue, lightness = hash_unit("hue", subject_id), 0.38 + 0.24 * hash_unit("lightness", subject_id)
    return "#" + "".join(f"{round(255 * c):02x}" for c in colorsys.hls_to_rgb(hue, lightness, 0.62))
