"""What the operator would make of manifests: look() and plan() over files in place of a cluster."""
