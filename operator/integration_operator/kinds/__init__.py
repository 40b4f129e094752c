"""One folder a kind: model, look, plan."""
