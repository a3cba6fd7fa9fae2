"""One file a stage: the only code that knows output folders."""
