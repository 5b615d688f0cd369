"""What decides: pure functions and values, without a clock, a socket or a library."""
