"""The conversations of `llmitm demo`, held with the providers' own SDKs.

`python -m addons.cli.conversations` holds them all, in an environment made as for any client of `llmitm exec`, and prints a JSON
line for each: `{"title": …, "error": null or why it failed}`. The prompts are made up; directives in double brackets ask the
offline provider for a slow answer or a failure.
"""
