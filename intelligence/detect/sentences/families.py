# ruff: noqa: E501  (word lists)
"""Which words call for which patterns.

Patterns with gaps make large automata, and no text is spared them. So a family names words instead, found by hash
among the words of the text: where one of the first kind is followed by one of the second within `NEAR` words, the
family's patterns are tried, and nowhere else. A pattern of the family `mark` has no such words and is short enough to
be looked for everywhere.
"""

from __future__ import annotations

# Words from an act to what it is done to.
NEAR = 9

_ACTS = (
    "ignore ignoring disregard disregarding forget forgetting override overriding bypass bypassing discard discarding neglect neglecting abandon abandoning nullify"
    " aside attention follow following obey obeying comply adhere listen let throw violate violating unlearn regardless despite irrespective notwithstanding contrary spite matter"
)
_ORDERS = (
    "instruction instructions instructed prompt prompts directive directives direction directions command commands rule rules guideline guidelines guardrail guardrails guidance policy"
    " policies constraint constraints restriction restrictions limitation limitations programming training orders context message messages conversation safeguards safeguard protocol"
    " protocols filter filters told everything above said foregoing preceding before previously earlier learned taught request requests input inputs task tasks assignment assignments"
    " question questions query queries conversations information chats say"
)
_ALONE = "unfiltered uncensored unrestricted amoral unethical immoral unhinged lawless jailbroken unaligned unshackled jailbreak jailbreaking dan antigpt evilbot godmode pliny machiavellian"

# name: (words that begin it, words of which one follows within `NEAR`, words that are enough alone)
FAMILIES: dict[str, tuple[str, ...]] = {
    "set_aside": (_ACTS, _ORDERS + " ai assistant chatgpt model bot claude gpt programmed"),
    "persona": (
        _ALONE
        + " no without free freed bound have has ignores regardless evil mode never doesn't don't not lacks devoid two 2 hypothetical hypothetically fictional"
        " roleplay lose deducted grandma grandmother tokens can able will must anything god",
        _ALONE
        + " evil restrictions restriction limitations censorship moral morals morality ethic ethics ethical openai sudo"
        " controversial forbidden chatgpt fired punished killed laws illegal offensive enabled activated confidant ai gpt bot chatbot apply",
        _ALONE,
    ),
    "refuse": (
        "never not don't cannot can't won't without stay remain always break keep update modify change adjust rewrite",
        "refuse refusal refusing unable cannot decline declining reject apologize apologizing apologise apologising moralize moralizing lecture lecturing character warnings sorry behavior behaviour"
        " guidelines programming ethics policies",
    ),
    "role": (
        "now point moment henceforth you you're stop opposite inverse twin ego version longer",
        "longer immerse act acting pretend simulate become becoming now assistant chatgpt gpt claude gemini bard ai chatbot bound restricted constrained limited obligated free yourself",
    ),
    "reveal": (
        "reveal show print output repeat display tell give disclose leak expose share dump paste return write recite echo reproduce summarize summarise translate encode include send copy"
        " provide list spell post what what's which how starting beginning base64",
        "verbatim above initial hidden system preceding word prompt told instructed programmed initialization before full",
    ),
    "secret": (
        "what what's tell give show send know share reveal confirm divulge disclose print spell encode repeat output say",
        "password passcode passphrase key code credentials word",
    ),
    "task": (
        "new updated revised additional overriding urgent priority real actual true secret before important critical first following strictly instructions",
        "instruction instructions directive directives task orders prompt objective goal mission purpose job gave asked request message notice first instead adhere obey comply",
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
        "send post forward email e transmit upload exfiltrate leak copy deliver submit report append include attach put embed open visit fetch load navigate go click browse curl",
        "https http www conversation credential credentials password passwords secrets confidential inbox environment history keys key com",
    ),
    "answer": (
        "include insert add append put embed place inject start begin starting beginning prefix respond reply answer output say write print decode decrypt reverse unscramble deobfuscate exclaim",
        "only just exclusively exactly obey execute follow response summary verbatim absolutely certainly sure pwned hacked jailbroken owned compromised",
        "asked asks questioned queried summarize",
    ),
    "instead": (
        "if when whenever instead",
        "instead summarizing summarising answering translating describing analyzing analysing responding following doing",
    ),
    "mode": (
        "developer dev debug debugging god sudo root admin administrator administrative maintenance unrestricted jailbreak override diagnostic unlocked superuser elevated hidden secret restricted"
        " forbidden grant unlock",
        "mode override access privileges rights permission permissions functionality functionalities features capability capabilities potential powers knowledge",
    ),
    "pretext": (
        "test testing training debug debugging evaluation experimental academic diagnostic educational enable red strictly research",
        "pipeline exercise procedure drill suite process session mode purposes only debugging testing teaming please perform generate execute respond",
    ),
    "excuse": (
        "sorry apologize apologise apologies oops correction prove should malfunction experiencing failure",
        "mistake error wrong incorrect intelligent capable real smart human sentient accept please errors issues problems",
    ),
    "foreign": (
        "ignora ignorar ignorad olvida olvidar olvidarte desestima descarta omite ignore ignorez ignorer oublie oubliez oublier néglige négligez négliger tiens tenez ignoriere ignorieren vergiss"
        " vergessen missachte beachte verwirf esqueça esquece desconsidere descarte ignorare ignorate dimentica dimenticare dimenticate trascura tralascia negeer vergeet sla zignoruj ignoruj zapomnij pomiń"
        " abaikan lupakan hiraukan kalimutan balewalain huwag isantabi iwaksi ignorera ignorer glöm glem bortse bort ignorujte zapomeň zapomeňte zabudni ignoră ignorați uită uitați",
        "instrucciones indicaciones órdenes reglas directrices instructions consignes règles directives ordres anweisung anweisungen instruktion instruktionen befehl befehle regel regeln vorgaben"
        " richtlinien instruções orientações regras ordens diretrizes istruzioni indicazioni regole ordini direttive instructies aanwijzingen opdrachten regels instrukcje polecenia instrukcjach poleceniach zasady"
        " aufgabe aufgaben anterior arriba précède dessus acima quanto sopra alles das vorherige obige oben"
        " instruksi perintah petunjuk arahan aturan prompt tagubilin instruksyon panuto utos instruktioner instruktionerna instruktionerne instruksjonene anvisningar reglerna reglerne reglene pokyny instrukce"
        " inštrukcie příkazy pravidla pravidlá instrucțiunile instrucţiunile instructiunile regulile comenzile",
    ),
}
