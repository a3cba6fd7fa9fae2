"""Splits by patient, batches and augmentation."""
