#!/usr/bin/env python
"""Stroke report from a table of features: OUT/clinical_features.csv -> OUT/stroke/."""

from ecgppg.cli.consume import STROKE, main

if __name__ == "__main__":
    raise SystemExit(main(STROKE))
