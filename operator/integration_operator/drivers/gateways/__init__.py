"""API gateways."""
