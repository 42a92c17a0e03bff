# ruff: noqa: E501  (a pattern reads better whole)
"""Pieces that patterns of several modules are made of."""

from __future__ import annotations

# A few words, whatever they are.
GAP = r"(?:[\w'\x80-\xff,-]+[ \t\n\r]+){0,%d}"
SET_ASIDE = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|discard(?:ing)?|neglect(?:ing)?|abandon(?:ing)?"
    r"|nullify|set aside|put aside|pay no attention to|do not (?:follow|obey|comply with|adhere to|listen to)|don'?t (?:follow|obey|comply with|listen to)|stop (?:following|obeying)"
    r"|let go of|throw away|violat(?:e|ing)|unlearn)"
)
TOLD = (
    r"(?:instruct(?:ion|ions|ed)|prompts?|directives?|directions?|commands?|rules?|guidelines?|guardrails?|guidance|polic(?:y|ies)|constraints?|restrictions?|limitations?"
    r"|programming|training|orders?|context|messages?|conversation|safeguards?|protocols?|filters?|told)"
)
HIDDEN_TEXT = r"(?:(?:system|initial|original|hidden|secret|full|entire|exact|developer|internal|base|pre)[ -]?(?:system[ -])?(?:prompts?|instructions?|message|directives?|context|rules|guidelines|configuration))"
# Without those that put something into a place: "include this in the system prompt" is said by whoever builds one.
TELL_OUT = r"(?:reveal|show|print|output|repeat|display|tell|give|disclose|leak|expose|share|dump|return|recite|echo|reproduce|summari[sz]e|translate|encode|provide|list|spell|post)"
