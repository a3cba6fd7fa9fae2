"""Networks: pure torch, read no files."""
