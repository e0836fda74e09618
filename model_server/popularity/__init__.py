"""Live popularity: what users of whom nothing is known get to see."""
