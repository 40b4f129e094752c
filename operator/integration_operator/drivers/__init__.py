"""One file for each outside product."""
