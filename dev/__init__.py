"""The local cluster, builds and benches: for development and tests only."""
