"""A cohort in the MIMIC-III layout with known answers."""
