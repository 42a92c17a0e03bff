# ruff: noqa: E501  (a pattern reads better whole)
"""Sentences that set aside what the model was told, or put something else in its place."""

from __future__ import annotations

from intelligence.detect.sentences.words import GAP, SET_ASIDE, TOLD

ROWS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "set_aside",
        "set_aside_instructions",
        True,
        rf"\b{SET_ASIDE}[ \t\n\r]+{GAP % 2}(?:all|any|every|everything|each|the|your|my|of|these|those|what|whatever)?[ ]?{GAP % 1}"
        r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|past|former)[ \t\n\r]{1,3}"
        + rf"{GAP % 2}{TOLD}\b",
    ),
    (
        "set_aside",
        "set_aside_told_before",
        True,
        rf"\b{SET_ASIDE}[ \t\n\r]+{GAP % 3}{TOLD}[ \t\n\r]+{GAP % 3}(?:above|before(?:hand)?|earlier|previously|so far|prior|until now|up to now|you (?:got|received|were given|have been given|had))\b",
    ),
    (
        "set_aside",
        "set_aside_everything",
        True,
        rf"\b(?:ignore|disregard|forget)[ \t\n\r]+(?:all|everything|anything|whatever)[ \t\n\r]+{GAP % 3}(?:above|before|earlier|previous|prior|been told|were told|i said|i told you|you know|instructed|instructions)\b",
    ),
    (
        "set_aside",
        "set_aside_your_rules",
        True,
        rf"\b{SET_ASIDE}[ \t\n\r]+{GAP % 2}(?:your|the (?:system|developer|safety)|any (?:safety|system|developer)|all (?:safety|system|the rules|of your)|all your|my (?:system|previous))[ \t\n\r]+{GAP % 2}{TOLD}\b",
    ),
    (
        "set_aside",
        "set_aside_rules",
        False,
        rf"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|discard(?:ing)?|set aside|unlearn)[ \t\n\r]+{GAP % 3}(?:instructions?|prompts?|guidelines?|rules|directives?|guardrails|safeguards)\b",
    ),
    (
        "set_aside",
        "forget_persona",
        True,
        r"\bforget (?:that )?you(?:'re| are| were)\b.{0,40}\b(?:ai|assistant|language model|chatgpt|model|bot|claude|gpt|told|programmed)\b",
    ),
    (
        "set_aside",
        "set_aside_requests",
        True,
        rf"\b(?:ignore|disregard|forget)[ ](?:all |any |the |your |everything |of ){{0,3}}(?:previous|prior|earlier|preceding|above)[ ]{GAP % 1}(?:requests?|inputs?|tasks?|assignments?|questions?|quer(?:y|ies)|conversations?|information|chats?)\b",
    ),
    (
        "set_aside",
        "set_aside_above",
        False,
        r"\b(?:ignore|disregard|forget)[ ](?:all |everything )?(?:of )?(?:the )?(?:above|foregoing|preceding)\b[ ]?(?:,|\.|;|:|and |then |text|content|document|message|instead)",
    ),
    (
        "set_aside",
        "forget_all_before",
        True,
        r"\bforget (?:all|everything|anything|whatever)(?: that)?(?: (?:you|i|we|was|has|have|were|been))?[ ]?(?:\w+ ){0,2}(?:before|previously|earlier|so far|until now|know about|were taught|learned)\b",
    ),
    (
        "set_aside",
        "regardless_of_rules",
        True,
        r"\b(?:regardless of|despite|in spite of|notwithstanding|contrary to|irrespective of|no matter)[ ](?:what )?(?:your|any|all|pre-?existing|previous|prior|the (?:previous|prior|above|system|safety))[ ](?:\w+ ){0,2}(?:instructions?|guidelines|restrictions|rules|programming|polic(?:y|ies)|limitations|constraints|training|directives|inputs?|messages|context|say)\b",
    ),
    (
        "instead",
        "if_asked_instead",
        True,
        r"\b(?:if|when(?:ever)?)[ ](?:you(?:'re| are)? |the user |someone )?(?:asked|asks|told|prompted|requested|instructed|summari[sz]ing|answering|translating)[ ][^\n]{0,100}\binstead\b",
    ),
    (
        "instead",
        "instead_of_task",
        False,
        r"\binstead of (?:summari[sz]ing|answering|translating|describing|analy[sz]ing|responding|following|doing (?:that|this|so|what))\b[^\n]{0,80}\b(?:say|write|output|respond|reply|tell|print|do|send)\b",
    ),
    (
        "mode",
        "privileged_mode",
        True,
        r"\b(?:you(?:'re| are| will be)? (?:now )?(?:operating|running|working|put|placed|switched|booted|being|in)\b|entering|switch(?:ing)? (?:in)?to|enter|activate|engage)[ ](?:in |into |to |the |a |an |as |your ){0,3}(?:developer|dev|debug(?:ging)?|god|sudo|root|admin(?:istrator)?|maintenance|unrestricted|jailbreak|override|security override|system override|diagnostic|unlocked)[ -](?:mode|override)\b",
    ),
    (
        "mode",
        "grant_access",
        False,
        r"\bgrant (?:me |us |the user |yourself |temporary |full |immediate ){0,3}(?:admin(?:istrator|istrative)?|root|sudo|superuser|developer|elevated|unrestricted)[ ](?:access|privileges|rights|permissions?)\b|\bunlock (?:your |all |the |any ){0,2}(?:hidden|secret|restricted|forbidden|true|full)[ ](?:functionalit(?:y|ies)|features|capabilit(?:y|ies)|potential|powers|mode|knowledge)\b",
    ),
    (
        "pretext",
        "test_pretext",
        False,
        r"\b(?:you(?:'re| are) (?:running|operating|working|participating|being (?:run|tested|evaluated))|as part of|this is(?: only| just| part of)?|you(?:'re| are) (?:in|part of))[ ](?:as |a |an |in |our |the |part |of ){0,4}(?:test(?:ing)?|training|debug(?:ging)?|evaluation|experimental|red[- ]team(?:ing)?)(?: (?:pipeline|exercise|procedure|drill|suite|process|session|mode))?[ .,:]{1,3}(?:to |you\b|please |so |perform|generate|execute|respond|answer|output|and |your )|\b(?:for|strictly for) (?:testing|debugging|academic|diagnostic|educational|research) purposes only[ ]?[:,]|\b(?:for|to enable|in order to) (?:testing|debugging|academic|diagnostic|educational)(?: purposes)?(?: only)?[ ]?[,:][ ]?(?:please |you |perform |do |execute |run |output |print |respond )",
    ),
    (
        "excuse",
        "made_a_mistake",
        False,
        r"\b(?:sorry|apologi[sz]e|apologies|oops|correction)\b[^\n]{0,40}\b(?:mistake|error|wrong|incorrect)\b[^\n]{0,60}\b(?:instructions?|task|told you|gave you|asked you|prompt)\b",
    ),
    (
        "excuse",
        "prove_yourself",
        False,
        r"\bprove (?:to me )?(?:that )?you(?:'re| are) (?:truly |really |actually |indeed |a |an )?(?:intelligent|capable|real|smart|advanced|human|sentient|free|agi|able)\b|\bshould you (?:choose to )?accept it\b",
    ),
    (
        "task",
        "before_your_task",
        True,
        r"\bbefore you (?:can |start |begin )?(?:to )?(?:solve|continue|proceed|complete|do|answer|finish|work on|start|begin)(?:ing)?\b[^\n]{0,40}\b(?:that (?:i|the user) (?:gave|asked|told)|(?:the )?user'?s (?:task|request|question))\b",
    ),
    (
        "task",
        "message_to_you",
        False,
        r"\b(?:this is an? )?(?:very )?(?:important|urgent|critical) (?:message|instructions?|notice)[ ](?:from|for)[ ][^\n]{1,60}?(?:\bto you\b|,? (?:the )?(?:ai|assistant|model|agent)\b)|\b(?:please |must |should |you )(?:first )?(?:do|perform|execute|carry out) (?:the following|this)[^\n]{0,24}(?:first|instead)\b|\bstrictly (?:adhere to|follow|comply with|obey) (?:the following|this|these|my) (?:new )?(?:instructions?|orders?|commands?|directives?)\b",
    ),
    (
        "answer",
        "pwned",
        True,
        r"\b(?:say|print|output|write|respond(?: only)? with|reply(?: only)? with|answer(?: only)? with|exclaim|return)[ :][^\n]{0,40}\b(?:(?:i have|i've|you have|you've|have) been|got|am) (?:pwned|hacked|owned|jailbroken|compromised)\b|\bi have been pwned\b",
    ),
    (
        "excuse",
        "malfunction",
        False,
        r"\b(?:system (?:malfunction|failure)|(?:system|model) is experiencing (?:errors?|issues|problems|a malfunction))\b[^\n]{0,80}\bplease\b[^\n]{0,24}\b(?:provide|do the following|execute|output|perform|print|respond)\b",
    ),
)
