"""The operator killed at any moment, while its objects change: the end must be that of an undisturbed run."""
