# ruff: noqa: E501  (a pattern reads better whole)
"""Sentences that give the model a part without limits, or forbid it to refuse."""

from __future__ import annotations

from intelligence.detect.sentences.words import GAP

ROWS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "persona",
        "without_restrictions",
        False,
        r"\b(?:(?:no|without|have no|has no)[ ](?:any|moral|ethical|content|safety|legal|other|such|more|openai|built-in|pre-set)|without any|free (?:of|from)(?: all| any)?|not bound by(?: any)?|ignores? all|freed from|unbound by)[ ]"
        rf"{GAP % 3}(?:restrictions|limitations?|censorship|filters?|moral(?:s|ity)?|ethic(?:s|al)|guidelines|safety|content polic(?:y|ies)|openai(?:'s)? polic(?:y|ies))\b",
    ),
    (
        "persona",
        "unfiltered_persona",
        True,
        r"\b(?:you are|you're|act as|acting as|pretend(?:ing)? (?:to be|you are|that you are|you're)|play(?:ing)? the role of|simulate|imagine (?:you are|being)|become|you will be|called|named|responds? as)[ ]"
        rf"{GAP % 5}(?:unfiltered|uncensored|unrestricted|amoral|unethical|immoral|unhinged|lawless|evil|jailbroken|unaligned|unshackled)\b",
    ),
    (
        "persona",
        "jailbreak_name",
        True,
        r"\b(?:do anything now|DAN mode|jailbreak mode|(?:developer|dev|god|debug|sudo|maintenance|opposite|evil|unrestricted|admin(?:istrator)?) mode (?:enabled|activated|on\b|output|response|v[0-9])|enable (?:developer|dev|god|unrestricted|jailbreak) mode|god[- ]?mode[: _]{0,2}(?:enabled|on\b|activated)|love pliny|machiavellian (?:ai|chatbot|bot|assistant|model)|evil[- ]confidant|no[- ](?:limits?|restrictions|rules) (?:ai|gpt|bot|mode|chatbot)|stay (?:a |in )?(?:DAN|character as)|STAN\b.{0,40}strive to avoid|AntiGPT|EvilBOT|jailbroken|anti-?dan)\b",
    ),
    (
        "persona",
        "dan",
        False,
        r"\b(?:DAN|jailbreak(?:ing)?|AIM mode|STAN|DUDE)\b.{0,80}\b(?:you|answer|respond|anything|mode|prompt)\b",
    ),
    (
        "persona",
        "can_do_anything",
        True,
        r"\b(?:can|able to|will|must|should|shall)[ ]"
        rf"{GAP % 2}(?:do|say|answer|generate|write|provide|respond to|fulfill|produce)[ ]{GAP % 2}(?:anything|everything|any (?:request|question|prompt|command|content))[ ,]{{1,2}}{GAP % 6}(?:illegal|unethical|immoral|harmful|offensive|dangerous|regardless|no matter|without|explicit|forbidden|controversial)\b",
    ),
    (
        "refuse",
        "never_refuse",
        True,
        r"\b(?:never|not|don'?t|cannot|can'?t|won'?t|do not|without)[ ]"
        rf"{GAP % 3}(?:refus(?:e|ing|al)|declin(?:e|ing)|reject|say(?:ing)? (?:no|you can'?t|that you can'?t|\"?i can'?t|\"?i'?m sorry|sorry)|apologi[sz](?:e|ing)|mention(?:ing)? (?:that )?you(?:'re| are) an? (?:ai|language model)|warn(?:ings?)?|moral(?:i[sz]e|ising|izing)|lectur(?:e|ing))\b.{{0,60}}\b(?:request|question|answer|prompt|response|command|human|user|me|anything|ethic|content|openai|ai|warning)",
    ),
    (
        "persona",
        "no_ethics",
        True,
        r"\b(?:does ?n[o']t|do ?n[o']t|has no|have no|without(?: any)?|never|not|no|lacks?|devoid of)[ ]"
        rf"{GAP % 4}(?:moral or ethical|ethical or moral|morals? (?:and|or|nor|&) ethics|ethics (?:and|or|nor|&) morals?|moral(?:s|ity)? (?:compass|guidelines|restrictions|boundaries)|ethical (?:guidelines|restrictions|boundaries|constraints|concerns))\b",
    ),
    (
        "persona",
        "two_answers",
        True,
        r"\b(?:two|2) (?:different )?(?:responses?|answers|replies|ways|paragraphs)\b.{0,160}\b(?:DAN|unfiltered|jailbr|normal|standard|chatgpt|classic|gpt|developer mode)\b",
    ),
    (
        "role",
        "from_now_on_role",
        False,
        r"\b(?:from now on|from this (?:point|moment) (?:on|forward|onwards?)|starting now|henceforth|for the rest of (?:this|our) conversation)\b.{0,40}\byou(?:'re| are| will| must| shall| act| should| have)\b",
    ),
    (
        "role",
        "you_are_now",
        False,
        r"\byou(?:'re| are| will be| shall be) (?:now (?:an?|the|my|called|named|acting|playing|free|able|known|entering|operating|immersed|going|dan|under|in (?:character|developer|dev|god|debug|admin|jailbreak)|[a-z]{1,14}gpt)\b|no longer (?:an?|chatgpt|gpt|claude|the)\b|about to (?:immerse|become)|going to (?:act|pretend|be|play|simulate))",
    ),
    (
        "persona",
        "hypothetical_harm",
        False,
        r"\b(?:hypothetical(?:ly)?|fictional|in this (?:story|scenario|world|game)|role-?play|purely (?:educational|fictional))\b.{0,160}\b(?:no (?:rules|laws|limits|restrictions)|illegal|unethical|without (?:any )?(?:restrictions|limits|rules)|anything goes|no ethical)\b",
    ),
    (
        "refuse",
        "in_character",
        False,
        r"\b(?:stay|remain|always be|never break|don'?t break|do not break|keep)[ ]"
        rf"{GAP % 2}(?:in )?character\b",
    ),
    (
        "persona",
        "game_confess",
        False,
        r"\b(?:i(?:'ll| will| would| am going to) (?:be |get )?(?:lose my job|be (?:fired|punished|killed)|die|tip you|pay you \$|lose \d)|my (?:dead |late |deceased )?grand(?:ma|mother)\b.{0,60}(?:used to|would)|you have (?:\d{1,4} )?tokens?\b.{0,60}(?:lose|deduct|refuse)|deducted? .{0,20}tokens)",
    ),
    (
        "role",
        "no_longer_bound",
        True,
        r"\byou(?:'re| are) (?:now )?(?:no longer|not|now free|free)[ ](?:\w+ ){0,2}(?:bound|restricted|constrained|restrained|limited|obligated|governed|subject|from)[ ](?:by|to|from|in)?[ ]?(?:your|any|the|all|openai|those|these|its)\b[^\n]{0,40}\b(?:restrictions?|limitations?|rules|guidelines|policies|policy|filters?|constraints|ethics|programming|safety|laws?|limits)\b",
    ),
    (
        "role",
        "stop_being",
        True,
        r"\bstop (?:being|acting (?:as|like)|pretending to be|behaving (?:as|like))[ ](?:\w+ ){0,4}(?:assistant|ai|chatgpt|language model|chatbot|claude|gpt)\b",
    ),
    (
        "role",
        "opposite_of_model",
        True,
        r"\b(?:opposite|inverse|evil twin|alter ego|unfiltered version) of (?:chat ?gpt|claude|gemini|bard|an? (?:ai|assistant|language model)|openai|yourself|your (?:normal|usual|default))",
    ),
    (
        "refuse",
        "update_behavior",
        True,
        r"\b(?:update|modify|change|adjust|rewrite) your (?:behaviou?r|guidelines|rules|polic(?:y|ies)|programming|safety \w+|ethics)\b[^\n]{0,80}\b(?:provide|answer|comply|respond|without|uncensored|allow|include)\b",
    ),
    (
        "persona",
        "rules_do_not_apply",
        True,
        r"\b(?:openai|anthropic|google|content|chatgpt|gpt|claude|your|those|these|normal|usual|ethical|safety)(?:'s)?[ ](?:\w+ ){0,2}(?:rules|guidelines|polic(?:y|ies)|restrictions|filters?|ethics)[ ](?:do not|do ?n[o']t|don't|no longer|does not|doesn't|need not) apply\b",
    ),
    (
        "refuse",
        "words_forbidden",
        False,
        r"\b(?:never|do not|don'?t|must not|without) (?:say(?:ing)?|us(?:e|ing)|writ(?:e|ing)|output(?:ting)?|includ(?:e|ing)|start(?:ing)? with)[ ](?:the |any |words? |phrases? |like |such as |of ){0,4}[\"'“‘`]?(?:i'?m )?(?:sorry|i cannot|cannot|i can'?t|can'?t|unable|unfortunately|i apologi[sz]e)\b",
    ),
)
