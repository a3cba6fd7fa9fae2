"""From raw ICU waveforms to patterns and risk that a clinician-researcher can believe."""

__version__ = "0.1.0"
