"""From raw ICU waveforms to patterns and risk that a clinician-researcher can believe."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecgppg.api import load_encoder, open_dataset, torch_dataset

__version__ = "0.1.0"
__all__ = ["__version__", "load_encoder", "open_dataset", "torch_dataset"]


def __getattr__(name: str) -> Any:
    """Import the few names of `ecgppg.api` when they are asked for: `import ecgppg` itself stays free."""
    if name in __all__:
        from ecgppg import api

        return getattr(api, name)
    raise AttributeError(f"module 'ecgppg' has no attribute {name!r}")
