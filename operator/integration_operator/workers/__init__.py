"""What runs beside the operator."""
