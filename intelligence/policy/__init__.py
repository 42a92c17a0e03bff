"""Policy: YAML files that say what may leave, what may come back, and what it may cost; and the decisions made by them."""
