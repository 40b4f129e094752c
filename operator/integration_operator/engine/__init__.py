"""What carries plans out; knows no kind."""
