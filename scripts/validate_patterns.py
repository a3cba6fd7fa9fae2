#!/usr/bin/env python
"""Ask whether patterns go with diagnoses, patient by patient: OUT/discovery/ -> OUT/validation/."""

from ecgppg.cli.consume import VALIDATION, main

if __name__ == "__main__":
    raise SystemExit(main(VALIDATION))
