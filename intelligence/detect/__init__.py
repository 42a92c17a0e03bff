"""Detectors: what stands in a prompt, an answer or a tool call that somebody should know about.

A file per kind. `scanner` runs them all and is what the rest of the house uses. Every pattern that sees prompt text
runs in RE2 (`engine`), so no text, however hostile, takes more than time linear in its length.
"""
