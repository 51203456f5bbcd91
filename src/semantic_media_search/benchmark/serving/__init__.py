"""`media-search benchmark start`, `serve` and `size`: the program as a person meets it."""
