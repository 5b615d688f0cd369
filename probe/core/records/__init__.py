"""What DNS says of a sender's domain, and what it means: one file for each kind of record."""
