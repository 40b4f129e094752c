"""The Kubernetes operator for integrations."""
