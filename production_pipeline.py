#!/usr/bin/env python
"""From WFDB records and clinical tables to a dataset, an encoder, patterns and a stroke report."""

if __name__ == "__main__":
    try:
        from ecgppg.cli.production import main

        code = main()
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
