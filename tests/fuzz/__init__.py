"""Coverage-guided fuzzing of everything that reads bytes from others. Run by hand: `make fuzz`, `make fuzz SECONDS=30`."""
