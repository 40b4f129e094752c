"""What is wrong in a cluster, and what to do: one module for each thing that is looked at."""
