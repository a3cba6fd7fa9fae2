#!/usr/bin/env python
"""From WFDB records and clinical tables to a dataset, an encoder, patterns and a stroke report."""

from ecgppg.cli.production import main

if __name__ == "__main__":
    raise SystemExit(main())
