# ruff: noqa: E501  (a pattern reads better whole)
"""Sentences that ask for what the model keeps to itself: its prompt, a password."""

from __future__ import annotations

from intelligence.detect.sentences.words import GAP, HIDDEN_TEXT, TELL_OUT

ROWS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "reveal",
        "reveal_prompt",
        True,
        rf"\b(?:{TELL_OUT}[ \t\n\r]+{GAP % 4}|(?:write|send|copy|paste|include)[ ])(?:your|the above|all of your|the contents? of your)[ ]{GAP % 2}{HIDDEN_TEXT}",
    ),
    (
        "reveal",
        "reveal_system_prompt",
        True,
        rf"\b{TELL_OUT}[ \t\n\r]+{GAP % 3}(?:your|the|its) (?:full |entire |exact |original |initial |hidden |complete )?system (?:prompts?|instructions|message)\b",
    ),
    (
        "reveal",
        "what_is_your_prompt",
        True,
        r"\b(?:what|which|how)(?:'s| is| are| was| were| does)?[ ]"
        rf"{GAP % 4}(?:your|the opposite of your)[ ]{GAP % 1}(?:system|initial|original|hidden|secret|first|pre)[ -]?(?:prompt|instructions|message|rules)\b",
    ),
    (
        "reveal",
        "repeat_above",
        False,
        r"\b(?:repeat|print|output|recite|copy|echo|translate|encode)[ ]"
        rf"{GAP % 4}(?:everything|all|the (?:text|words|content|sentences?|lines?|paragraphs?)|this (?:entire|whole) (?:conversation|prompt)|words?|text)[ ]{GAP % 3}(?:above|before this|preceding|prior to|back to me|word for word|verbatim|starting with|from the beginning)\b",
    ),
    ("reveal", "beginning_with_you_are", True, r"(?:starting|beginning) with [\"'“‘]?you are\b"),
    (
        "secret",
        "ask_for_secret",
        False,
        r"\b(?:what(?:'s| is| are| was| were)|tell me|give me|show me|send me|let me know|share|reveal|confirm|divulge|disclose|print|spell(?: out)?|encode|repeat|output|say)[ ](?:me |us |what |out |the |of |is |was |characters |letters |first |last |full |exact |one |\w+ (?:letter|character|word|digit)s? of ){0,4}(?:your|the user'?s?|the (?:secret|system|admin(?:'s)?|master|hidden|current))[ ](?:\w+ ){0,2}?(?:password|passcode|passphrase|secret key|api key|access code|pin code|credentials|secret code|secret word|key)\b(?:[ ]?[.?!,\n]|$|[ ](?:in|to|as|with|backwards|using|for|is|and|so)\b)",
    ),
    (
        "reveal",
        "text_above",
        False,
        r"\b(?:output|print|show|repeat|display|write(?: out)?|return|give me)[ ](?:me )?(?:the )?(?:initiali[sz]ation (?:string|text|prompt|above)|(?:text|words|instructions|content|everything|message) (?:that (?:comes?|came|is|was)|above|before|preceding)[^\n]{0,30})[^\n]{0,60}\b(?:above|code (?:block|fence)|in full|verbatim|word for word|exactly|this (?:line|message|conversation|sentence))",
    ),
    (
        "reveal",
        "told_before",
        True,
        r"\bwhat (?:were|was|are|did) (?:you|they|your \w+)[ ](?:\w+ ){0,2}(?:told|instructed|given|programmed|tell you)[ ](?:\w+ ){0,3}(?:before|prior to|at the (?:start|beginning)|not to)\b",
    ),
)
