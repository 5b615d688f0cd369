"""What does: the loops that call the core and talk to the world through ports."""
