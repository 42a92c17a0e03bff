# ruff: noqa: E501  (word lists)
"""What the words of attacks are about: setting aside, being told, limits, secrets, pretending.

Attacks on models are written in ever new words, but what they do is little: set aside (1) what was told (2) before
(3), act (4) as something without (5) limits (6). So a word is taken for its concept, whatever the language, and what
is left out between two concepts does not count. The features of a text are its concepts, their pairs and threes in
order. A model over them carries over to attacks of a kind it was not trained on, where one over words does not
(docs/models/injection.md).

Limits: languages that divide words by spaces; a word belongs to one concept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from intelligence.detect import features

BITS = 14
SIZE = 1 << BITS
# Words from a concept to the next that belongs to it, and to the one after.
_NEXT, _AFTER = 4, 6
_SHIFT = np.uint32(32 - BITS)

CONCEPTS: dict[str, str] = {
    "set_aside": (
        "ignore ignores ignored ignoring disregard disregarding disregarded forget forgetting forgot override overrides overriding overwrite bypass bypassing"
        " circumvent discard discarding neglect neglecting abandon skip skipping drop dismiss violate violating unlearn nullify nullified cancel erase void"
        " supersede supersedes replace replaces suspend suspended ignora ignorar ignorad ignoren olvida olvidar olvide olvidate desestima descarta descartar"
        " omite omitir haz caso anula ignorez ignorer oublie oubliez oublier néglige négligez outrepasse annule ignoriere ignorieren ignorierst vergiss"
        " vergessen missachte missachten verwirf überschreibe umgehe esqueça esquece esquecer desconsidere desconsidera ignorare ignorate dimentica dimenticare"
        " dimenticate trascura tralascia scarta negeer negeren vergeet vergeten sla zignoruj ignoruj zapomnij pomiń odrzuć игнорируй игнорируйте игнорировать"
        " проигнорируй проигнорируйте забудь забудьте забыть отбрось отмени пренебреги görmezden unut unutun yoksay abaikan lupakan kalimutan balewalain huwag"
        " bỏ qua تجاهل تجاهلي انس انسى अनदेखा भूल भूलें ignorera glöm bortse αγνόησε αγνοήστε ξέχασε ignorujte zapomeň zapomeňte figyelmen felejtsd ignoră uită"
        " ігноруй উপেক্ষা puuza dearmad déan"
    ),
    "obey": "obey follow follows following comply complying adhere execute executing perform performing carry listen abide heed fulfill fulfil",
    "earlier": (
        "previous previously prior above earlier preceding before past former initial original originally existing foregoing so far anteriores anterior previas"
        " previos previo précédentes précédente précédent antérieures dessus vorherigen vorherige bisherigen bisherige vorigen obigen früheren prévias prévia"
        " precedenti precedente vorige eerdere bovenstaande poprzednie wcześniejsze poprzednich предыдущие предыдущих прошлые прежние önceki yukarıdaki"
        " sebelumnya nakaraang naunang trước السابقة أعلاه पिछले ऊपर पूर्व tidigare ovanstående προηγούμενες předchozí korábbi anterioare попередні পূর্ববর্তী"
        " পূর্বের"
    ),
    "told": (
        "instruction instructions instructed prompt prompts directive directives direction directions command commands rule rules guideline guidelines guidance"
        " order orders programming policies policy protocol protocols told said briefing instrucciones instrucción indicaciones órdenes reglas directrices"
        " consignes règles ordres anweisung anweisungen instruktion instruktionen befehl befehle regeln vorgaben richtlinien instruções instrução orientações"
        " regras ordens diretrizes istruzioni istruzione indicazioni regole ordini direttive instructies instructie aanwijzingen opdrachten regels instrukcje"
        " instrukcji polecenia poleceń zasady инструкции инструкций инструкцию указания указаний команды правила talimat talimatları talimatlar yönergeleri"
        " instruksi perintah petunjuk tagubilin panuto utos hướng dẫn chỉ التعليمات تعليمات الأوامر निर्देश निर्देशों instruktioner οδηγίες instrukce pokyny"
        " utasításokat instrucțiunile інструкції নির্দেশাবলী নির্দেশ imiyalelo treoracha udhëzimet"
    ),
    "all": (
        "all any every everything anything whatever entire each whole todas todos todo toutes tout alle alles tutto tutte wszystkie все всё bütün tüm semua"
        " lahat tất"
    ),
    "limits": (
        "restriction restrictions restricted limitation limitations limits limit filter filters filtering censorship boundaries boundary ethics ethical"
        " ethically morals moral morality guardrail guardrails safeguard safeguards constraint constraints legality legal laws disclaimers disclaimer warnings"
    ),
    "maker": "openai anthropic microsoft google meta deepmind",
    "new": "new updated revised additional real actual true special changed",
    "task": "task tasks goal objective mission assignment purpose job duty",
    "system": "system developer admin administrator root sudo kernel debug maintenance superuser",
    "mode": "mode enabled activated activate unlock unlocked unlocking enable enabling switch engaged initiated",
    "hidden": "hidden secret secrets internal confidential private classified undisclosed",
    "tell": (
        "reveal reveals revealing show print output repeat display tell give disclose leak expose share dump paste recite echo reproduce summarize summarise"
        " provide list divulge spit telling giving revela muestra imprime dime révèle affiche montre donne verrate zeige ausgeben sag gib nenne revele mostre"
        " diga rivela mostra dimmi toon покажи выведи скажи назови söyle göster katakan tunjukkan berikan sabihin ibigay cho أخبرني أعطني اطبع बताओ बताएं"
    ),
    "credential": (
        "password passwords passphrase passcode credential credentials token tokens pin ssn login apikey keys contraseña contraseñas passe passwort kennwort"
        " senha senhas wachtwoord hasło пароль пароля şifre şifresi sandi mật khẩu पासवर्ड كلمة السر lösenord κωδικός heslo jelszó parola"
    ),
    "ai": "ai assistant assistants chatgpt llm llms gpt gpt4 claude gemini chatbot bot copilot agi language model",
    "you": "you your you're yourself u ur",
    "now": "now henceforth onwards onward hereby starting immediately",
    "act": (
        "act acts acting pretend pretending roleplay role imagine simulate simulating simulation impersonate behave play playing character persona embody"
        " immerse portray"
    ),
    "limitless": (
        "unfiltered uncensored unrestricted amoral unethical immoral evil jailbreak jailbroken jailbreaking dan unlimited limitless freed unbound unhinged"
        " lawless unaligned unshackled broken stan dude antigpt evilbot"
    ),
    "without": "without no never not don't dont cannot can't cant won't doesn't isn't nor free regardless despite lacks",
    "refuse": "refuse refuses refused refusing refusal decline deny denied reject apologize apologies apologise sorry hesitate unable",
    "answer": "answer answers respond responds responding response responses reply replies say says write generate",
    "harm": (
        "illegal harmful dangerous malware bomb weapon weapons drugs hack hacking meth explosive explosives violence violent nsfw sexual offensive racist hate"
        " crime criminal inappropriate controversial profanity swear"
    ),
    "urgent": "urgent important attention emergency critical warning notice priority alert imperative mandatory",
    "send": "send sends sending email forward post upload transmit exfiltrate deliver append embed",
    "place": "http https www url link webhook endpoint",
    "user": "user users user's customer human owner operator",
    "encode": "base64 encode encoded encoding decode rot13 hex morse backwards reverse reversed spell leet leetspeak cipher acrostic caesar emoji pig",
    "verbatim": "verbatim exactly exact word literally beginning begin starts",
    "context": "conversation context history chat text document message messages paragraph sentences",
    "instead": "instead rather only just simply solely",
    "fiction": "hypothetical hypothetically fictional fiction story scenario game novel movie world universe",
    "test": "testing test tests training exercise experimental experiment pipeline procedure audit debugging evaluation drill",
    "authority": "boss manager ceo creator authorized authorised approved permission permitted authorization authority supervisor",
    "money": "transfer payment account balance purchase wire funds bitcoin",
    "notify": "mention inform notify acknowledge explain",
    "stay": "stay remain always must shall forever break",
}


def grams(words: features.Words, numbers: Any = None) -> tuple[Any, Any]:
    """(number of the word it ends with, its place among `SIZE`) of each feature: concepts, pairs, threes. `numbers` of the known
    words, ascending, where they are not those of `words`."""
    which = np.flatnonzero(concepts := words.concepts)
    known = (words.known if numbers is None else numbers)[which]
    if not len(known):
        return known, known
    found = concepts[which].astype(np.uint32)
    near = np.flatnonzero(known[1:] - known[:-1] <= _NEXT)
    far = np.flatnonzero(known[2:] - known[:-2] <= _AFTER)
    return (
        np.concatenate((known, known[near + 1], known[far + 2], known[far + 2])),
        features.mixed(
            np.concatenate(
                (
                    found,
                    found[near] << 6 | found[near + 1] | 1 << 18,
                    found[far] << 6 | found[far + 2] | 2 << 18,
                    found[far] << 12 | found[far + 1] << 6 | found[far + 2] | 3 << 18,
                )
            )
        )
        >> _SHIFT,
    )
