"""`python -m ecgppg` is the installed command `ecgppg`."""

from ecgppg.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
