"""What a bridge network does not do on a development node: enforce NetworkPolicies, provide volumes."""
