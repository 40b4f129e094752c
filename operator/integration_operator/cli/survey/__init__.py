"""How integrations stand in a cluster."""
