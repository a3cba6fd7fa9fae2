"""Settings of the dataset build: which windows are read, how they are filtered, what drops one."""

from typing import Literal, Self

from pydantic import model_validator

from ecgppg.config.keys import SettingsPart, content

Channel = Literal["ECG", "PPG"]


class BuildSettings(SettingsPart):
    """Windows, filters and quality limits."""

    channels: list[Channel] = content("build", ["ECG", "PPG"], "channels of a segment, in file order", min_length=1)
    required_channels: list[Channel] = content(
        "build", ["ECG", "PPG"], "channels without which a window is not a candidate", min_length=1
    )
    sampling_rate_hz: float = content("build", 125.0, "rate of the dataset, Hz", ge=50, le=1000)
    segment_seconds: float = content("build", 10.0, "length of a segment, s", ge=2, le=60)
    max_segments_per_patient: int | None = content(
        "build", 1000, "windows kept per patient, spread over the stay; null: every window", ge=1
    )
    min_segments_per_patient: int | None = content(
        "build", None, "patients with fewer kept windows are left out; null: 10 for mimic3, 1 for wfdb", ge=1
    )
    ecg_band_hz: tuple[float, float] = content("build", (0.5, 40.0), "zero-phase ECG band, Hz")
    ppg_band_hz: tuple[float, float] = content("build", (0.3, 8.0), "zero-phase PPG band, Hz")
    max_missing_share: float = content("build", 0.05, "missing samples a window may have", ge=0, le=1)
    max_clipped_share: float = content("build", 0.25, "samples at the ADC's limits a window may have", ge=0, le=1)
    max_constant_seconds: float = content("build", 5.0, "longest run of one ADC code, s", gt=0)
    min_signal_quality: float = content(
        "build", 0.35, "least quality: 1 less the share of noise in a window's power, times its steadiness", ge=0, le=1
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("channels: names a channel twice")
        absent = [c for c in self.required_channels if c not in self.channels]
        if absent:
            raise ValueError(f"required_channels: {absent[0]} is not among channels {self.channels}")
        for name in ("ecg_band_hz", "ppg_band_hz"):
            low, high = getattr(self, name)
            if not 0 < low < high < self.sampling_rate_hz / 2:
                raise ValueError(
                    f"{name}: needs 0 < low < high < {self.sampling_rate_hz / 2:g} Hz, got {low:g}-{high:g}"
                )
        if abs(self.segment_seconds * self.sampling_rate_hz - self.n_samples) > 1e-9:
            raise ValueError("segment_seconds: times sampling_rate_hz must be a whole number of samples")
        return self

    @property
    def n_samples(self) -> int:
        """Samples of one segment."""
        return round(self.segment_seconds * self.sampling_rate_hz)
