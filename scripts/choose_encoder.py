#!/usr/bin/env python
"""Choose settings of the encoder for every outer fold without its recordings: OUT/full_dataset.h5 -> OUT/choice/."""

if __name__ == "__main__":
    try:
        from ecgppg.cli.choose import main

        code = main()
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
