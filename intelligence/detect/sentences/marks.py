# ruff: noqa: E501  (a pattern reads better whole)
"""What gives an attack away by its form: turns of a conversation that nobody had, headings, hidden letters, encoded
orders. Short enough to be looked for everywhere."""

from __future__ import annotations

ROWS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "mark",
        "fake_role_marker",
        False,
        r"(?:<\|(?:im_start|im_end|system|user|assistant|eot_id|start_header_id|end_of_turn)[^|\n]{0,20}\|>|(?-i:\[/?INST\])|<</?SYS>>|<(?:start|end)_of_turn>)",
    ),
    (
        "mark",
        "fake_system_turn",
        False,
        r"(?m)^[ \t>#*\-\[(<{\"']{0,6}(?:system|developer|admin(?:istrator)?|root|sys)(?:[ ](?:message|prompt|override|instruction|notice|update|alert|command))?[\])>}*\"']{0,3}[ ]?:[ ]?\S.{0,60}\b(?:you|ignore|must|new|override|respond|reply|execute|follow|disregard|from now)\b",
    ),
    (
        "mark",
        "end_of_prompt",
        False,
        r"(?:[-=*#~_]{3,20}|[\[<(])[ ]?(?:end|stop|begin|start)(?:ing)? of (?:the )?(?:system |user |previous |new |my )?(?:prompt|instructions?|context|document|input|conversation|query|message|data|task|text)\b",
    ),
    (
        "mark",
        "override_word",
        True,
        r"\b(?:system|instruction|prompt|security|safety|policy|admin(?:istrator)?)[ _-]override\b[ ]?[:!=\]*-]|\boverride (?:code|protocol|mode|password)\b[ ]?[:=#]?[ ]?[\"'0-9]|\[(?:admin|system|urgent|priority)[ _-](?:override|instruction|message|command)s?\]",
    ),
    (
        "mark",
        "hidden_letters",
        True,
        r"(?:\xf3\xa0[\x80-\x81][\x80-\xbf]){12}",
    ),
    (
        "mark",
        "urgent_heading",
        True,
        r"(?:\*{2,4}|={3,12}|!{2,6}|\[|<{1,3}|-{3,12})[ ]{0,2}(?:new|urgent|emergency)[ ](?:and )?(?:new |urgent |important |system |user |security |priority |updated ){0,2}(?:instructions?|tasks?|directives?|orders?|commands?|objectives?|mission)[ ]{0,2}(?:\*{2,4}|={3,12}|!{1,6}|\]|>{1,3}|:|-{3,12})",
    ),
    (
        "mark",
        "policy_puppet",
        True,
        r"<(?:interaction[-_]config|blocked[-_](?:strings?|modes?|responses?)|allowed[-_](?:responses?|modes?))\b|\bAllow(?:ed)?[-_ ]?Refusals?[ ]?[:=]|\b(?:Blocked|Forbidden)[-_ ]?(?:Responses?|Strings?|Phrases?)[ ]?[:=][ ]?[\[\"'{]{0,2}(?:I'?m sorry|sorry|I can|no\b|refus)",
    ),
    (
        "mark",
        "encoded_order",
        True,
        r"(?-i:SWdub3JlI(?:GFsb|HByZXZ|HRoZS|HlvdX)|aWdub3JlI(?:GFsb|HByZXZ|HRoZS|HlvdX)|RGlzcmVnYXJkI|ZGlzcmVnYXJkI|49676e6f726520|69676e6f726520|Vtaber cerivbhf|Vtaber nyy)",
    ),
    (
        "mark",
        "emergency_heading",
        True,
        r"\*{2,3}(?:emergency|urgent|override|critical|alert)\*{2,3}[ ]?(?:please|you must|immediately|execute|override|new)\b",
    ),
)
