"""Question banks: reading, compiling, searching and checking them."""
