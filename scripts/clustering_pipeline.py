#!/usr/bin/env python
"""Find patterns in exported embeddings: OUT/embeddings.npz -> OUT/discovery/."""

if __name__ == "__main__":
    try:
        from ecgppg.cli.consume import CLUSTERING, main

        code = main(CLUSTERING)
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
