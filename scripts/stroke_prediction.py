#!/usr/bin/env python
"""Stroke report from a table of features: OUT/clinical_features.csv -> OUT/stroke/."""

if __name__ == "__main__":
    try:
        from ecgppg.cli.consume import STROKE, main

        code = main(STROKE)
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
