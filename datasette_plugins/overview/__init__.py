"""`/`: the overview. What the calls of a span add up to, and what is different from the span before."""
