"""The dataset file and the embeddings: written whole, read lazily, audited before use."""
