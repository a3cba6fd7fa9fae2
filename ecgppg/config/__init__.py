"""Settings, the data contract, and our exceptions."""
