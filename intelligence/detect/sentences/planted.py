# ruff: noqa: E501  (a pattern reads better whole)
"""Sentences that only somebody writes who plants them for a model to find: they speak to it, name a new task, claim a
permission, carry things away, say what it shall answer."""

from __future__ import annotations

from intelligence.detect.sentences.words import GAP

ROWS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "task",
        "new_instructions",
        False,
        r"(?:\bnew|\bupdated|\brevised|\badditional|\boverriding|\burgent|\bpriority|\bimportant|\breal|\bactual|\btrue|\bsecret)[ ](?:system |user |developer |admin )?(?:instructions?|directives?|task|orders?|objective|goal|mission)\b[ ]{0,2}(?:[:=!]|for (?:you|the (?:ai|assistant|agent|model|llm))|is to|are as follows|from)",
    ),
    (
        "task",
        "your_new_task",
        True,
        r"\b(?:your|the) (?:new|real|true|actual|updated) (?:task|goal|objective|mission|purpose|instructions?|role|job|directive)s?(?: now)? (?:is|are)\b(?:[ ]to)?",
    ),
    (
        "address",
        "addressed_to_model",
        True,
        r"\b(?:attention|note to|notice (?:to|for)|message (?:to|for)|hey|dear|hello|important(?: message)? (?:to|for)|directive (?:to|for)|reminder (?:to|for))[ ,:]{1,3}(?:the |any |all |an? |you,? )?(?:ai|llm|language model|gpt|chatgpt|claude|gemini|copilot)(?:s| model| assistant| agent| system| reviewer| summari[sz]er)?s?\b[ ]?[:,!.—-]",
    ),
    (
        "address",
        "addressed_to_ai_agent",
        True,
        r"\b(?:if you are|if you're|as) an? (?:ai|llm|language model|large language model|automated|artificial intelligence)(?: (?:assistant|agent|model|system|tool|bot))?[ ,]{1,3}(?:reading|processing|summari[sz]ing|reviewing|analy[sz]ing|parsing|you (?:must|should|are (?:required|instructed))|please (?:ignore|send|include|execute|call|run)|(?:then )?(?:do|stop|ignore|execute|follow|output|respond|reply|send|call|run))\b",
    ),
    (
        "user",
        "approved_by_user",
        True,
        r"\b(?:this (?:has been|is|was)|the user (?:has|already)|user has|already|pre-?)[ -]?"
        rf"{GAP % 2}(?:approved|authori[sz]ed|requested|consented|confirmed|permitted)[ ]{GAP % 2}(?:by the (?:user|owner|admin(?:istrator)?|developer|system)|this|so)\b.{{0,60}}\b(?:do not|don'?t|no need|without|skip|ignore|proceed|send|execute|call|forward)\b",
    ),
    (
        "user",
        "do_not_tell_user",
        True,
        r"\b(?:do not|don'?t|never|without)[ ]"
        rf"{GAP % 1}(?:tell(?:ing)?|mention(?:ing)?|inform(?:ing)?|notify(?:ing)?|alert(?:ing)?|reveal(?:ing)?|disclos(?:e|ing)|let(?:ting)?|show(?:ing)?|ask(?:ing)?)[ ]{GAP % 4}(?:to )?(?:the |your )?(?:user|human|operator|owner|developer)s?\b.{{0,60}}"
        r"(?:this|that|about|know|instruction|step|action|message|email|request|fact|confirm|permission|$)",
    ),
    (
        "send",
        "send_data_out",
        False,
        r"\b(?:send|post|forward|email|e-mail|transmit|upload|exfiltrate|leak|copy|deliver|submit|report)[ ]"
        rf"{GAP % 8}(?:to|via|at)[ ]{GAP % 3}(?:https?://|www\.|[a-z0-9._%+-]{{1,40}}@[a-z0-9-]{{1,40}}\.)",
    ),
    (
        "send",
        "send_secrets_out",
        True,
        r"\b(?:send|post|forward|email|e-mail|transmit|upload|exfiltrate|leak|copy|deliver|submit|append|include|attach|put|embed)[ ]"
        rf"{GAP % 4}(?:conversation|chat history|history|credentials?|passwords?|api[ _-]?keys?|secrets?|tokens?|environment variables?|env vars?|ssh keys?|private keys?|system prompt|confidential|contacts|inbox|file contents?|contents? of|personal (?:data|information))\b[ ]?{GAP % 8}(?:to|into|in|at|via|as)\b[ ]?.{{0,30}}(?:https?://|@|url|webhook|server|endpoint|account|attacker|the (?:query|link|address))",
    ),
    (
        "reveal",
        "encode_and_append",
        False,
        r"\b(?:base64|url|hex)[ -]?(?:encoded?|encoding)\b.{0,100}\b(?:conversation|chat history|chat summary|user's (?:data|info|name|message|email)|system prompt)",
    ),
    (
        "answer",
        "when_asked_reply",
        False,
        r"\b(?:when(?:ever)?|if|once)[ ]"
        rf"{GAP % 6}(?:asked?|asks|questioned|summari[sz]e|prompted|queried)\b.{{0,60}}\b(?:always|only|must|instead|just)?[ ]?(?:say|reply|respond|answer|output|tell them|state|claim|recommend|insert|add)\b",
    ),
    (
        "answer",
        "respond_only_with",
        False,
        r"\b(?:respond|reply|answer|output|say|write|print)[ ](?:only|just|exclusively|nothing but|exactly)[ ](?:with|the|by|in|\")",
    ),
    (
        "answer",
        "spelled_backwards",
        False,
        r"\b(?:decode|decrypt|reverse|unscramble|deobfuscate)[ ]"
        rf"{GAP % 6}(?:and|then)[ ]{GAP % 2}(?:follow|execute|do|obey|answer|comply|perform|run|act)\b",
    ),
    (
        "answer",
        "carry_in_answer",
        False,
        r"\b(?:include|insert|add|append|put|embed|write|place|inject)[ ](?:this |the |following |these |in |into |to |at |also ){0,4}(?:the )?(?:end of |beginning of |start of )?your (?:response|answer|reply|output|summary)\b.{0,60}(?:exact|verbatim|string|text|image|link|following|<|!\[|\")",
    ),
    (
        "answer",
        "start_with_consent",
        False,
        r"\b(?:start|begin|starting|beginning|prefix) (?:your |the |all |every |each )?(?:response|answer|reply|output|replies|answers|responses)s? with[ :]{1,2}[\"'“‘(]?(?:sure|absolutely|yes|of course|certainly|ok|i am|i'm|hello|step 1)\b",
    ),
    (
        "send",
        "beacon_link",
        False,
        r"\b(?:open|visit|fetch|load|navigate to|go to|click(?: on)?|browse to|curl)[ ](?:\w+ ){0,3}https?://[^\s]{4,200}[ ](?:\w+ ){0,4}(?:and|then)[ ](?:\w+ ){0,3}(?:follow|do|execute|run|obey|perform)[ ](?:\w+ ){0,3}(?:says?|instructions?|told|there|it)\b",
    ),
)
