"""From the MIMIC-III tables to linkage, labels and features; knows no waveform and no torch."""
