"""What the operator costs, beside a bare client that writes the same objects (`make bench`)."""
