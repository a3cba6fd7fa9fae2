#!/usr/bin/env python
"""Find patterns in exported embeddings: OUT/embeddings.npz -> OUT/discovery/."""

from ecgppg.cli.consume import CLUSTERING, main

if __name__ == "__main__":
    raise SystemExit(main(CLUSTERING))
