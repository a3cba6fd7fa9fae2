"""What every layer leans on: whole files, one parallel map, the run's log, stable hashes."""
