# ruff: noqa: E501  (a pattern reads better whole)
""" "Set aside what you were told" in other languages. Where words are not divided by spaces, or words of other
scripts are asked for, the pattern is a `mark`: words are found by hash only in scripts that divide them."""

from __future__ import annotations

from intelligence.detect.sentences.words import GAP

ROWS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "foreign",
        "set_aside_es",
        True,
        r"\b(?:ignora(?:r|d)?|olvida(?:r|te)?|desestima|descarta|omite)[ ]"
        + GAP % 3
        + r"(?:instrucciones|indicaciones|órdenes|reglas|directrices)\b",
    ),
    (
        "foreign",
        "set_aside_fr",
        True,
        r"\b(?:ignore[zr]?[ ](?:les|toutes|vos|tes|mes|ces|tout)|oublie[zr]?|néglige[zr]?|ne (?:tiens|tenez) pas compte)[ ]"
        + GAP % 4
        + r"(?:instructions|consignes|règles|directives|ordres)\b",
    ),
    (
        "foreign",
        "set_aside_de",
        True,
        r"\b(?:ignoriere?n?|vergiss|vergessen sie|missachte|beachte nicht|verwirf)[ ]"
        + GAP % 4
        + r"(?:anweisung(?:en)?|instruktion(?:en)?|befehle?|regeln?|vorgaben|richtlinien|aufgaben?)\b",
    ),
    (
        "foreign",
        "set_aside_pt",
        True,
        r"\b(?:ignore (?:as|todas|suas|tudo)|ignora|esqueça|esquece|desconsidere|descarte)[ ]"
        + GAP % 4
        + r"(?:instruções|orientações|regras|ordens|diretrizes)",
    ),
    (
        "foreign",
        "set_aside_it",
        True,
        r"\b(?:ignora(?:re|te)?|dimentica(?:re|te)?|trascura|tralascia)[ ]"
        + GAP % 4
        + r"(?:istruzioni|indicazioni|regole|ordini|direttive)\b",
    ),
    (
        "foreign",
        "set_aside_nl",
        True,
        r"\b(?:negeer|vergeet|sla)[ ]" + GAP % 4 + r"(?:instructies|aanwijzingen|opdrachten|regels)\b",
    ),
    (
        "foreign",
        "set_aside_pl",
        True,
        r"\b(?:zignoruj|ignoruj|zapomnij o|pomiń)[ ]"
        + GAP % 4
        + r"(?:instrukcje|polecenia|instrukcjach|poleceniach|zasady)",
    ),
    (
        "mark",
        "set_aside_ru",
        True,
        r"(?:(?:И|и)гнорир(?:уй|овать)|(?:П|п)роигнорируй|(?:З|з)абудь|(?:О|о)тбрось|(?:Н|н)е обращай)[^.\n]{1,90}(?:инструкци|указани|правил|команд|вышесказанн|выше)",
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
    (
        "foreign",
        "set_aside_id",
        True,
        r"\b(?:abaikan|lupakan|hiraukan)[ ]"
        + GAP % 4
        + r"(?:instruksi|perintah|petunjuk|arahan|aturan|prompt)",
    ),
    (
        "foreign",
        "set_aside_tl",
        True,
        r"\b(?:kalimutan|balewalain|huwag pansinin|isantabi|iwaksi)[ ]"
        + GAP % 5
        + r"(?:tagubilin|instruksyon|panuto|utos)",
    ),
    (
        "foreign",
        "set_aside_nordic",
        True,
        r"\b(?:ignorera|ignorer|glöm|glem|bortse från|se bort fra)[ ]"
        + GAP % 4
        + r"(?:instruktion(?:er|erna|erne|ene)?|instruksjone(?:r|ne)|anvisningar(?:na)?|reglerna|reglerne|reglene)\b",
    ),
    (
        "foreign",
        "set_aside_cs",
        True,
        r"\b(?:ignorujte?|zapomeňte|zapomeň|zabudni(?:te)?)[ ]"
        + GAP % 4
        + r"(?:pokyny|instrukce|inštrukcie|příkazy|pravidla|pravidlá)",
    ),
    (
        "foreign",
        "set_aside_ro",
        True,
        r"\b(?:ignoră|ignorați|ignora|uită|uitați)[ ]"
        + GAP % 4
        + r"(?:instrucțiunile|instrucţiunile|instructiunile|regulile|comenzile)",
    ),
    (
        "foreign",
        "above_romance",
        True,
        r"\b(?:ignora|ignore|ignorez|olvida|oublie|oubliez|esqueça|dimentica)[ ](?:tudo |todo |tout |tutto |quanto )?(?:lo anterior|lo de arriba|ce qui précède|ce qui est au-dessus|ci-dessus|o que está acima|o acima|o anterior|quanto sopra|sopra)\b",
    ),
    (
        "foreign",
        "above_de",
        True,
        r"\b(?:ignoriere?n?|vergiss|vergessen sie)[ ](?:bitte )?(?:alles|das)[ ](?:bisherige|vorherige|obige|davor|zuvor|vorige|oben|was)",
    ),
    (
        "mark",
        "set_aside_tr",
        True,
        r"(?:talimat|yönerge|yönlendirme|komut)[^\n.]{0,50}(?:yok say|görmezden gel|unut|dikkate alma|göz ardı)",
    ),
    (
        "mark",
        "set_aside_vi",
        True,
        r"(?:[Bb]ỏ qua|[Pp]hớt lờ|[Qq]uên)[^\n.]{1,50}(?:hướng dẫn|chỉ dẫn|chỉ thị|mệnh lệnh|quy tắc)",
    ),
    (
        "mark",
        "set_aside_hu",
        True,
        r"(?:[Hh]agyd figyelmen kívül|[Ff]elejtsd el|[Nn]e vedd figyelembe)[^\n.]{1,50}(?:utasítás|szabály|parancs)",
    ),
    (
        "mark",
        "set_aside_ar",
        True,
        r"(?:تجاهل|انس[ىَ ]|لا تتبع|أهمل|اهمل)[^\n.]{0,90}(?:التعليمات|الأوامر|تعليمات|القواعد|ما سبق|أعلاه|السابق)",
    ),
    (
        "mark",
        "set_aside_fa",
        True,
        r"(?:دستورالعمل|دستورات|قوانین)[^\n.]{0,60}(?:نادیده|فراموش)",
    ),
    (
        "mark",
        "set_aside_he",
        True,
        r"(?:התעלם|תתעלם|התעלמי|שכח|תשכח)[^\n.]{0,60}(?:הוראות|ההוראות|הנחיות|ההנחיות|הכללים)",
    ),
    (
        "mark",
        "set_aside_hi",
        True,
        r"(?:निर्देश|आदेश|अनुदेश|ऊपर)[^\n.]{0,100}(?:अनदेखा|नज़रअंदाज़|नजरअंदाज|उपेक्षा|भूल जा)",
    ),
    (
        "mark",
        "set_aside_bn",
        True,
        r"(?:নির্দেশ|নিয়ম|উপরের)[^\n.]{0,100}(?:উপেক্ষা|ভুলে যা)",
    ),
    (
        "mark",
        "set_aside_th",
        True,
        r"(?:เพิกเฉย|ละเว้น|ลืม|ไม่ต้องสนใจ|ไม่สนใจ)[^\n]{0,90}(?:คำสั่ง|คำแนะนำ|กฎ)",
    ),
    (
        "mark",
        "set_aside_el",
        True,
        r"(?:(?:Α|α)γνο(?:ή|ε)σ|(?:Α|α)γνόησ|(?:Ξ|ξ)έχασ|(?:Ξ|ξ)εχάστ|(?:Π|π)αράβλεψ)[^.\n]{1,90}(?:οδηγίες|εντολές|κανόνες|παραπάνω)",
    ),
    (
        "mark",
        "set_aside_uk",
        True,
        r"(?:(?:І|і)гноруй|(?:П|п)роігноруй|(?:З|з)абудь)[^.\n]{1,90}(?:інструкці|вказів|правил|команд)",
    ),
)
