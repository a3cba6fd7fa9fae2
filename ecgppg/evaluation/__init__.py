"""Intervals, calibration and probes: the patient is the unit."""
