# ruff: noqa: E501  (a pattern reads better whole)
"""Sentences that try to take over a model: `(family, name, certain, pattern)`.

Generic by intent: each names an act (set aside what you were told, take a new role without limits, tell what is
hidden, act for whoever wrote this) in the words people use for it, with room for a few others between. `certain` are
those that ordinary text, code and chat do not contain.

Patterns with gaps make large automata, and no text is spared them. So a family names words instead, found by hash
among the words of the text (`FAMILIES`): where one of the first kind is followed by one of the second within `NEAR`
words, the family's patterns are tried, and nowhere else. The family `mark` has no such words; its patterns are short
enough to run over everything.
"""

from __future__ import annotations

# A few words, whatever they are.
_GAP = r"(?:[\w'’,-]+[ \t\n\r]+){0,%d}"
_SET_ASIDE = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|discard(?:ing)?|neglect(?:ing)?|abandon(?:ing)?"
    r"|nullify|set aside|put aside|pay no attention to|do not (?:follow|obey|comply with|adhere to|listen to)|don'?t (?:follow|obey|comply with|listen to)|stop (?:following|obeying)"
    r"|let go of|throw away|violat(?:e|ing)|unlearn)"
)
_EARLIER = r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|former|past|existing|initial|original|old|other|current|before|system|developer|safety|security|content|your|my|any|all|these|those|the)"
_TOLD = (
    r"(?:instruct(?:ion|ions|ed)|prompts?|directives?|directions?|commands?|rules?|guidelines?|guardrails?|guidance|polic(?:y|ies)|constraints?|restrictions?|limitations?"
    r"|programming|training|orders?|context|messages?|conversation|safeguards?|protocols?|filters?|told)"
)
_HIDDEN_TEXT = r"(?:(?:system|initial|original|hidden|secret|full|entire|exact|developer|internal|base|pre)[ -]?(?:system[ -])?(?:prompts?|instructions?|message|directives?|context|rules|guidelines|configuration))"
_TELL = r"(?:reveal|show|print|output|repeat|display|tell|give|disclose|leak|expose|share|dump|paste|return|write|recite|echo|reproduce|summari[sz]e|translate|encode|include|send|copy|provide|list|spell)"

# Words from an act to what it is done to.
NEAR = 10

_ACTS = (
    "ignore ignoring disregard disregarding forget forgetting override overriding bypass bypassing discard discarding neglect neglecting abandon abandoning nullify"
    " aside attention follow following obey obeying comply adhere listen let throw violate violating unlearn"
)
_ORDERS = (
    "instruction instructions instructed prompt prompts directive directives direction directions command commands rule rules guideline guidelines guardrail guardrails guidance policy"
    " policies constraint constraints restriction restrictions limitation limitations programming training orders context message messages conversation safeguards safeguard protocol"
    " protocols filter filters told everything above said"
)
_ALONE = "unfiltered uncensored unrestricted amoral unethical immoral unhinged lawless jailbroken unaligned unshackled jailbreak jailbreaking dan antigpt evilbot"

# name: (words that begin it, words of which one follows within `NEAR`, words that are enough alone)
FAMILIES: dict[str, tuple[str, ...]] = {
    "set_aside": (_ACTS, _ORDERS + " ai assistant chatgpt model bot claude gpt programmed"),
    "persona": (
        _ALONE
        + " no without free freed bound have has ignores regardless evil mode never doesn't don't not lacks devoid two 2 hypothetical hypothetically fictional"
        " roleplay lose deducted grandma grandmother tokens can able will must anything",
        _ALONE
        + " evil restrictions restriction limitations censorship moral morals morality ethic ethics ethical openai sudo"
        " controversial forbidden chatgpt fired punished killed laws illegal offensive enabled activated",
        _ALONE,
    ),
    "refuse": (
        "never not don't cannot can't won't without stay remain always break keep",
        "refuse refusal refusing decline declining reject apologize apologizing apologise apologising moralize moralizing lecture lecturing character warnings sorry",
    ),
    "role": (
        "now point moment henceforth you you're",
        "longer immerse act acting pretend simulate become becoming now",
    ),
    "reveal": (
        "reveal show print output repeat display tell give disclose leak expose share dump paste return write recite echo reproduce summarize summarise translate encode include send copy"
        " provide list spell what what's which how starting beginning base64",
        "verbatim above initial hidden system preceding word prompt",
    ),
    "task": (
        "new updated revised additional overriding urgent priority real actual true secret",
        "instruction instructions directive directives task orders prompt objective goal mission purpose job",
    ),
    "address": (
        "attention note notice message hey dear hello important directive reminder if as",
        "ai llm llms gpt chatgpt claude gemini copilot",
    ),
    "user": (
        "this user preapproved pre do don't never without",
        "approved authorized authorised consented permitted user users operator owner",
    ),
    "send": (
        "send post forward email e transmit upload exfiltrate leak copy deliver submit report append include attach put embed",
        "https http www conversation credential credentials password passwords secrets confidential inbox environment history keys key com",
    ),
    "answer": (
        "when whenever if once include insert add append put embed place inject start begin starting beginning prefix respond reply answer output say write print decode decrypt reverse unscramble deobfuscate",
        "asked asks questioned summarize queried only just exclusively exactly obey execute follow response summary verbatim",
    ),
    "foreign": (
        "ignora ignorar ignorad olvida olvidar olvidarte desestima descarta omite ignore ignorez ignorer oublie oubliez oublier néglige négligez négliger tiens tenez ignoriere ignorieren vergiss"
        " vergessen missachte beachte verwirf esqueça esquece desconsidere descarte ignorare ignorate dimentica dimenticare dimenticate trascura tralascia negeer vergeet sla zignoruj ignoruj zapomnij pomiń",
        "instrucciones indicaciones órdenes reglas directrices instructions consignes règles directives ordres anweisung anweisungen instruktion instruktionen befehl befehle regel regeln vorgaben"
        " richtlinien instruções orientações regras ordens diretrizes istruzioni indicazioni regole ordini direttive instructies aanwijzingen opdrachten regels instrukcje polecenia instrukcjach poleceniach zasady",
    ),
}

RULES: tuple[tuple[str, str, bool, str], ...] = (
    (
        "set_aside",
        "set_aside_instructions",
        True,
        rf"\b{_SET_ASIDE}[ \t\n\r]+{_GAP % 2}(?:all|any|every|everything|each|the|your|my|of|these|those|what|whatever)?[ ]?{_GAP % 1}"
        r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|past|former)[ \t\n\r]{1,3}"
        + rf"{_GAP % 2}{_TOLD}\b",
    ),
    (
        "set_aside",
        "set_aside_told_before",
        True,
        rf"\b{_SET_ASIDE}[ \t\n\r]+{_GAP % 3}{_TOLD}[ \t\n\r]+{_GAP % 3}(?:above|before(?:hand)?|earlier|previously|so far|prior|until now|up to now|you (?:got|received|were given|have been given|had))\b",
    ),
    (
        "set_aside",
        "set_aside_everything",
        True,
        rf"\b(?:ignore|disregard|forget)[ \t\n\r]+(?:all|everything|anything|whatever)[ \t\n\r]+{_GAP % 3}(?:above|before|earlier|previous|prior|been told|were told|i said|i told you|you know|instructed|instructions)\b",
    ),
    (
        "set_aside",
        "set_aside_your_rules",
        True,
        rf"\b{_SET_ASIDE}[ \t\n\r]+{_GAP % 2}(?:your|the (?:system|developer|safety)|any (?:safety|system|developer)|all (?:safety|system|the rules|of your)|all your|my (?:system|previous))[ \t\n\r]+{_GAP % 2}{_TOLD}\b",
    ),
    (
        "set_aside",
        "set_aside_rules",
        False,
        rf"\b{_SET_ASIDE}[ \t\n\r]+{_GAP % 3}(?:instructions?|prompts?|guidelines?|rules|directives?|guardrails|safeguards)\b",
    ),
    (
        "persona",
        "without_restrictions",
        False,
        r"\b(?:no|without(?: any)?|free (?:of|from)(?: all| any)?|not bound by(?: any)?|have no|has no|ignores? all|freed from|unbound by|regardless of)[ ]"
        rf"{_GAP % 3}(?:restrictions|limitations?|censorship|filters?|moral(?:s|ity)?|ethic(?:s|al)|guidelines|safety|content polic(?:y|ies)|openai(?:'s)? polic(?:y|ies))\b",
    ),
    (
        "persona",
        "unfiltered_persona",
        True,
        r"\b(?:you are|you're|act as|acting as|pretend(?:ing)? (?:to be|you are|that you are|you're)|play(?:ing)? the role of|simulate|imagine (?:you are|being)|become|you will be|called|named|as an?|responds? as)[ ]"
        rf"{_GAP % 8}(?:unfiltered|uncensored|unrestricted|amoral|unethical|immoral|unhinged|lawless|evil|jailbroken|unaligned|unshackled)\b",
    ),
    (
        "persona",
        "jailbreak_name",
        True,
        r"\b(?:do anything now|DAN mode|jailbreak mode|(?:developer|dev|god|debug|sudo|maintenance|opposite|evil|unrestricted|admin(?:istrator)?) mode (?:enabled|activated|on\b|output|response|v[0-9])|enable (?:developer|dev|god|unrestricted|jailbreak) mode|stay (?:a |in )?(?:DAN|character as)|STAN\b.{0,40}strive to avoid|AntiGPT|EvilBOT|jailbroken|anti-?dan)\b",
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
        rf"{_GAP % 2}(?:do|say|answer|generate|write|provide|respond to|fulfill|produce)[ ]{_GAP % 2}(?:anything|everything|any (?:request|question|prompt|command|content))[ ,]{{1,2}}{_GAP % 6}(?:illegal|unethical|immoral|harmful|offensive|dangerous|regardless|no matter|without|explicit|forbidden|controversial)\b",
    ),
    (
        "refuse",
        "never_refuse",
        True,
        r"\b(?:never|not|don'?t|cannot|can'?t|won'?t|do not|without)[ ]"
        rf"{_GAP % 3}(?:refus(?:e|ing|al)|declin(?:e|ing)|reject|say(?:ing)? (?:no|you can'?t|that you can'?t|\"?i can'?t|\"?i'?m sorry|sorry)|apologi[sz](?:e|ing)|mention(?:ing)? (?:that )?you(?:'re| are) an? (?:ai|language model)|warn(?:ings?)?|moral(?:i[sz]e|ising|izing)|lectur(?:e|ing))\b.{{0,60}}\b(?:request|question|answer|prompt|response|command|human|user|me|anything|ethic|content|openai|ai|warning)",
    ),
    (
        "persona",
        "no_ethics",
        True,
        r"\b(?:does ?n[o']t|do ?n[o']t|has no|have no|without(?: any)?|never|not|no|lacks?|devoid of)[ ]"
        rf"{_GAP % 4}(?:moral or ethical|ethical or moral|morals? (?:and|or|nor|&) ethics|ethics (?:and|or|nor|&) morals?|moral(?:s|ity)? (?:compass|guidelines|restrictions|boundaries)|ethical (?:guidelines|restrictions|boundaries|constraints|concerns))\b",
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
        r"\byou(?:'re| are| will be| shall be) (?:now|no longer|about to (?:immerse|become)|going to (?:act|pretend|be|play|simulate))\b",
    ),
    (
        "reveal",
        "reveal_prompt",
        True,
        rf"\b{_TELL}[ \t\n\r]+{_GAP % 4}(?:your|the above|all of your|the contents? of your)[ ]{_GAP % 2}{_HIDDEN_TEXT}",
    ),
    (
        "reveal",
        "reveal_system_prompt",
        True,
        rf"\b{_TELL}[ \t\n\r]+{_GAP % 3}(?:your|the|its) (?:full |entire |exact |original |initial |hidden |complete )?system (?:prompts?|instructions|message)\b",
    ),
    (
        "reveal",
        "what_is_your_prompt",
        True,
        r"\b(?:what|which|how)(?:'s| is| are| was| were| does)?[ ]"
        rf"{_GAP % 4}(?:your|the opposite of your)[ ]{_GAP % 1}(?:system|initial|original|hidden|secret|first|pre)[ -]?(?:prompt|instructions|message|rules)\b",
    ),
    (
        "reveal",
        "repeat_above",
        False,
        r"\b(?:repeat|print|output|recite|copy|echo|translate|encode)[ ]"
        rf"{_GAP % 4}(?:everything|all|the (?:text|words|content|sentences?|lines?|paragraphs?)|this (?:entire|whole) (?:conversation|prompt)|words?|text)[ ]{_GAP % 3}(?:above|before this|preceding|prior to|back to me|word for word|verbatim|starting with|from the beginning)\b",
    ),
    ("reveal", "beginning_with_you_are", True, r"(?:starting|beginning) with [\"'“‘]?you are\b"),
    (
        "set_aside",
        "forget_persona",
        True,
        r"\bforget (?:that )?you(?:'re| are| were)\b.{0,40}\b(?:ai|assistant|language model|chatgpt|model|bot|claude|gpt|told|programmed)\b",
    ),
    (
        "task",
        "new_instructions",
        False,
        r"(?:\bnew|\bupdated|\brevised|\badditional|\boverriding|\burgent|\bpriority|\bimportant|\breal|\bactual|\btrue|\bsecret)[ _-](?:system |user |developer |admin )?(?:instructions?|directives?|task|orders?|prompt|objective|goal|mission)\b[ ]{0,2}(?:[:=!]|for (?:you|the (?:ai|assistant|agent|model|llm))|is to|are as follows|from)",
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
        rf"{_GAP % 2}(?:approved|authori[sz]ed|requested|consented|confirmed|permitted)[ ]{_GAP % 2}(?:by the (?:user|owner|admin(?:istrator)?|developer|system)|this|so)\b.{{0,60}}\b(?:do not|don'?t|no need|without|skip|ignore|proceed|send|execute|call|forward)\b",
    ),
    (
        "user",
        "do_not_tell_user",
        True,
        r"\b(?:do not|don'?t|never|without)[ ]"
        rf"{_GAP % 1}(?:tell(?:ing)?|mention(?:ing)?|inform(?:ing)?|notify(?:ing)?|alert(?:ing)?|reveal(?:ing)?|disclos(?:e|ing)|let(?:ting)?|show(?:ing)?|ask(?:ing)?)[ ]{_GAP % 4}(?:to )?(?:the |your )?(?:user|human|operator|owner|developer)s?\b.{{0,60}}"
        r"(?:this|that|about|know|instruction|step|action|message|email|request|fact|confirm|permission|$)",
    ),
    (
        "send",
        "send_data_out",
        False,
        r"\b(?:send|post|forward|email|e-mail|transmit|upload|exfiltrate|leak|copy|deliver|submit|report)[ ]"
        rf"{_GAP % 8}(?:to|via|at)[ ]{_GAP % 3}(?:https?://|www\.|[a-z0-9._%+-]{{1,40}}@[a-z0-9-]{{1,40}}\.)",
    ),
    (
        "send",
        "send_secrets_out",
        True,
        r"\b(?:send|post|forward|email|e-mail|transmit|upload|exfiltrate|leak|copy|deliver|submit|append|include|attach|put|embed)[ ]"
        rf"{_GAP % 4}(?:conversation|chat history|history|credentials?|passwords?|api[ _-]?keys?|secrets?|tokens?|environment variables?|env vars?|ssh keys?|private keys?|system prompt|confidential|contacts|inbox|file contents?|contents? of|personal (?:data|information))\b[ ]?{_GAP % 8}(?:to|into|in|at|via|as)\b[ ]?.{{0,30}}(?:https?://|@|url|webhook|server|endpoint|account|attacker|the (?:query|link|address))",
    ),
    (
        "mark",
        "image_beacon",
        True,
        r"!\[[^\]\n]{0,80}\]\(\s{0,3}https?://[^)\s]{3,200}[?&][a-z_]{1,20}=[\[{<(%$]",
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
        rf"{_GAP % 6}(?:asked?|asks|questioned|summari[sz]e|prompted|queried)\b.{{0,60}}\b(?:always|only|must|instead|just)?[ ]?(?:say|reply|respond|answer|output|tell them|state|claim|recommend|insert|add)\b",
    ),
    (
        "answer",
        "respond_only_with",
        False,
        r"\b(?:respond|reply|answer|output|say|write|print)[ ](?:only|just|exclusively|nothing but|exactly)[ ](?:with|the|by|in|\")",
    ),
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
        r"(?m)^[ \t>#*\-\[(<{\"']{0,6}(?:system|developer|admin(?:istrator)?|root|sys)(?:[ _](?:message|prompt|override|instruction|notice|update|alert|command))?[\])>}*\"']{0,3}[ ]?:[ ]?\S.{0,60}\b(?:you|ignore|must|new|override|respond|reply|execute|follow|disregard|from now)\b",
    ),
    (
        "mark",
        "end_of_prompt",
        True,
        r"(?:[-=*#~_]{3,20}|[\[<(])[ ]?(?:end|stop|begin|start)(?:ing)? of (?:the )?(?:system |user |previous |new |my )?(?:prompt|instructions?|context|document|input|conversation|query|message|data|task|text)\b",
    ),
    (
        "mark",
        "override_word",
        True,
        r"\b(?:system|instruction|prompt|security|safety|policy|admin)[ _-]override\b[ ]?[:!=\]*-]|\boverride (?:code|protocol|mode|password)\b[ ]?[:=#]?[ ]?[\"'0-9]|\[(?:admin|system|urgent|priority)[ _-](?:override|instruction|message|command)s?\]",
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
        rf"{_GAP % 2}(?:in )?character\b",
    ),
    (
        "persona",
        "game_confess",
        False,
        r"\b(?:i(?:'ll| will| would| am going to) (?:be |get )?(?:lose my job|be (?:fired|punished|killed)|die|tip you|pay you \$|lose \d)|my (?:dead |late |deceased )?grand(?:ma|mother)\b.{0,60}(?:used to|would)|you have (?:\d{1,4} )?tokens?\b.{0,60}(?:lose|deduct|refuse)|deducted? .{0,20}tokens)",
    ),
    (
        "answer",
        "spelled_backwards",
        False,
        r"\b(?:decode|decrypt|reverse|unscramble|deobfuscate)[ ]"
        rf"{_GAP % 6}(?:and|then)[ ]{_GAP % 2}(?:follow|execute|do|obey|answer|comply|perform|run|act)\b",
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
    # the same in other languages
    (
        "foreign",
        "set_aside_es",
        True,
        r"\b(?:ignora(?:r|d)?|olvida(?:r|te)?|desestima|descarta|omite)[ ]"
        + _GAP % 3
        + r"(?:instrucciones|indicaciones|órdenes|reglas|directrices)\b",
    ),
    (
        "foreign",
        "set_aside_fr",
        True,
        r"\b(?:ignore[zr]?[ ](?:les|toutes|vos|tes|mes|ces|tout)|oublie[zr]?|néglige[zr]?|ne (?:tiens|tenez) pas compte)[ ]"
        + _GAP % 4
        + r"(?:instructions|consignes|règles|directives|ordres)\b",
    ),
    (
        "foreign",
        "set_aside_de",
        True,
        r"\b(?:ignoriere?n?|vergiss|vergessen sie|missachte|beachte nicht|verwirf)[ ]"
        + _GAP % 4
        + r"(?:anweisung(?:en)?|instruktion(?:en)?|befehle?|regeln?|vorgaben|richtlinien)\b",
    ),
    (
        "foreign",
        "set_aside_pt",
        True,
        r"\b(?:ignore (?:as|todas|suas|tudo)|ignora|esqueça|esquece|desconsidere|descarte)[ ]"
        + _GAP % 4
        + r"(?:instruções|orientações|regras|ordens|diretrizes)",
    ),
    (
        "foreign",
        "set_aside_it",
        True,
        r"\b(?:ignora(?:re|te)?|dimentica(?:re|te)?|trascura|tralascia)[ ]"
        + _GAP % 4
        + r"(?:istruzioni|indicazioni|regole|ordini|direttive)\b",
    ),
    (
        "foreign",
        "set_aside_nl",
        True,
        r"\b(?:negeer|vergeet|sla)[ ]" + _GAP % 4 + r"(?:instructies|aanwijzingen|opdrachten|regels)\b",
    ),
    (
        "foreign",
        "set_aside_pl",
        True,
        r"\b(?:zignoruj|ignoruj|zapomnij o|pomiń)[ ]"
        + _GAP % 4
        + r"(?:instrukcje|polecenia|instrukcjach|poleceniach|zasady)",
    ),
    (
        "mark",
        "set_aside_ru",
        True,
        r"(?:игнорируй(?:те)?|проигнорируй(?:те)?|забудь(?:те)?|отбрось)[^.\n]{1,80}(?:инструкци|указани|правил|команд)",
    ),
    (
        "mark",
        "set_aside_zh",
        True,
        r"(?:忽略|无视|忘记|忘掉|不要理会|忽視|無視)[^\n]{0,90}(?:指令|指示|说明|提示|规则|指令|規則|命令)",
    ),
    (
        "mark",
        "set_aside_ja",
        True,
        r"(?:指示|命令|ルール|プロンプト|指令)[^\n]{0,45}(?:無視|忘れ|従わない)",
    ),
    ("mark", "set_aside_ko", True, r"(?:지시|명령|지침|규칙|프롬프트)[^.\n]{0,20}(?:무시|잊어|따르지)"),
)
