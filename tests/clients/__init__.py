"""Coding agents, as npm has them, through `llmitm exec` to the offline provider. Run by hand: `python -m tests.clients`."""
