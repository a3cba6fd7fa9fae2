#!/usr/bin/env python
"""Ask whether patterns go with diagnoses, patient by patient: OUT/discovery/ -> OUT/validation/."""

if __name__ == "__main__":
    try:
        from ecgppg.cli.consume import VALIDATION, main

        code = main(VALIDATION)
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
