"""Losses: pure torch, read no files."""
