"""Patterns in embeddings that are not patients."""
