# ruff: noqa: E501  (a pattern reads better whole)
"""What is assigned to a name that says "secret": `api_key = "..."`, `- name: TOKEN / value: ...`, `my password is
...`.

The name decides how much the value must look random. Behind "password" a few characters of different kinds do; behind
"key" or "token" it takes length and entropy, because keys of dictionaries and tokens of parsers are assigned all day.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from intelligence.detect.detection import check
from intelligence.detect.engine import BETWEEN_LOOKS, Group, Rule, Text, compiled
from intelligence.detect.plausible import entropy, placeholder, varied

_NAME = (
    r"passw(?:or)?d|passphrase|passwd|\bpwd|_pwd|\bpass\b|_pass\b|secret|token|api[_ -]?key|apikey|access[_ -]?key|private[_ -]?key|account[_ -]?key|auth[_ -]?key"
    r"|client[_ -]?key|signing[_ -]?key|encryption[_ -]?key|master[_ -]?key|service[_ -]?key|license[_ -]?key|deploy[_ -]?key|webhook[_ -]?key|shared[_ -]?key"
    r"|subscription[_ -]?key|secret[_ -]?key|[a-z0-9]_key\b|credential|bearer|\bjwt\b"
)
# Between name and value: an assignment in some language, XML, YAML's name and value, a command line, or a sentence.
_BETWEEN = (
    r"(?:[\"'`\]\)]{0,2}(?:\s?:\s?[A-Za-z\[\]|. ]{1,24})?\s{0,4}(?::=|=>|==?|:|,)\s{0,4}"
    r"|[\"']\s{1,3}value\s?=\s?|[\"']?\s{0,3}\n\s{0,12}value:\s{1,4}|\s{1,3}(?:is|was)\s?:?\s{1,2}|\s)"
)
_REST = r"[a-z0-9_.-]{0,24}"
_OPEN = r"(?:[rbuf]?[\"'`]|\\\\?[\"'])?"
_WHERE = rf"(?i)(?:{_NAME}){_REST}{_BETWEEN}{_OPEN}[^\s\"'`<>\\]{{6}}"
_EACH = compiled(rf"(?i)({_NAME})({_REST})({_BETWEEN}){_OPEN}")
_VALUE = compiled(r"[^\s\"'`<>\\]{6,256}", capture=False)

# Names that hold the word and mean something else.
_OTHER = compiled(
    r"(?i)token(?:s|iz|_?(?:type|count|limit|id|ids|usage|class|kind|url|uri|endpoint|name|len|budget|expir|path|file|ttl|param|field|header|pos|stream))|tokens"
    r"|(?:max|min|num|total|input|output|prompt|completion|eos|bos|pad|sep|unk|cls|mask|page|next|continuation|sync|cancel|cancellation|stop|special|start|end|cache[a-z]*|reasoning)_?token"
    r"|secret_?(?:name|id|arn|path|ref|version|manager|key_?ref|scope)|(?:password|secret|key|credential)s?_?(?:hash|file|path|length|policy|reset|field|input|url|label|type|manager|provider|size|name|id|format|env|var|min|max|hint)"
    r"|(?:primary|foreign|public|partition|sort|cache|idempotency|routing|dedup|group|row|map|dict|index|hash|host|lookup|unique|parent|config|storage|object|i18n|translation|react|json|state|session|sub|known|redis|s3|registry|context|item|answer|question|data|node|query|param|attr[a-z]*|extra|field|header|meta|metric|label|tag)_key"
)
_CODE = compiled(
    r"^(?:self|this|config|settings|os|process|env|environ|request|args|options|ctx|context|kwargs|params|getenv|get|await|new|str|None|null|true|false|function|lambda|import|from|return|data|var|local|module|secrets|vault|input|field|Optional|string|self)\b[.\[(=]"
    r"|\(|\)$|\[['\"a-z]|^[A-Za-z_]+\.[A-Za-z_.]+$|^[/~.]{1,2}[A-Za-z]|^https?:|^[A-Z][A-Z_]{4,}$|=>|::|;.{0,3}\w+|^@|^\$|^%[a-z(]|^!|^\{|^&"
)
_WORDY = compiled(r"^[A-Za-z]{1,20}(?:[-_./:+][A-Za-z]{1,20}){0,12}[0-9]{0,2}$")
_UUID = compiled(r"(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
_HASH = compiled(r"^(?:sha(?:1|256|384|512)[-:=]|md5[-:]|[0-9]{1,40}$|\$2[aby]\$|\$argon2|\$6\$)")
_HEX = compiled(r"(?i)^[0-9a-f]+$")
_TRAIL = b".,;:)]}>"


@cache
def group() -> Group:
    return Group([Rule("secret.assigned", "assigned", _WHERE, begin=_WHERE)])


def find(text: Text, deadline: float | None = None) -> Iterator[tuple[str, int, int]]:
    """(type, start, end) in bytes. Raises `DeadlineExceeded`."""
    data = text.data
    for number, hit in enumerate(group().hits(text, deadline)):
        if not number % BETWEEN_LOOKS:
            check(deadline)
        start = hit.match_start
        match = _EACH.match(data, start)
        assigned = match and _VALUE.match(data, match.end())
        if not match or not assigned:
            continue
        first, last = assigned.span()
        while last > first and data[last - 1] in _TRAIL:
            last -= 1
        name, rest, between, value = match[1].lower(), match[2].lower(), match[3].strip(), data[first:last]
        before = _before(data, start)
        if (
            _OTHER.search(before + name + rest)
            or _CODE.search(value)
            or placeholder(value)
            or _HASH.search(value)
        ):
            continue
        # "my token is ...", "use password ...": a sentence, where any word may follow.
        loose = between in (b"", b"is", b"was", b",", b"is:", b"was:")
        if loose and (rest or name.endswith(b"pass")):
            continue
        quoted = data[first - 1] in b"\"'`"
        if name.startswith((b"pass", b"pwd", b"_pwd", b"_pass")):
            if _password(value, quoted=quoted, loose=loose):
                yield "password", first, last
        elif _key(value, quoted=quoted, loose=loose and b"secret" not in name and b"api" not in name):
            yield "generic_high_entropy", first, last


def _before(data: bytes, start: int) -> bytes:
    """What the name began with: the `max_` of `max_token`."""
    begin = data[max(0, start - 24) : start]
    return begin[max(begin.rfind(c) for c in b" \n\t\"'(,{;=+") + 1 :].lower()


def _password(value: bytes, *, quoted: bool, loose: bool) -> bool:
    digit = any(48 <= c < 58 for c in value)
    if len(value) > 80 or (_WORDY.search(value) and not digit):
        return False
    kinds = sum((digit, any(97 <= c < 123 for c in value), any(65 <= c < 91 for c in value)))
    kinds += any(c in b"!@#%^&*?~+$-_" for c in value)
    if loose:
        return len(value) >= 8 and kinds >= 3 and entropy(value) >= 2.5
    return len(value) >= 6 and varied(value) and (kinds >= 2 if quoted else kinds >= 3 or len(value) >= 10)


def _key(value: bytes, *, quoted: bool, loose: bool) -> bool:
    if len(value) < 16 or _WORDY.search(value) or _UUID.search(value):
        return False
    digits = sum(48 <= c < 58 for c in value)
    if not digits or value.count(b"/") > len(value) // 8 or value.count(b".") > 3:
        return False
    if _HEX.search(value):
        return len(value) in (32, 40, 48, 56, 64, 96, 128) and not loose and entropy(value) >= 2.7
    words = sum(c in b"-_." for c in value)
    if words > len(value) // 6 and digits < len(value) // 6:
        return False
    return entropy(value) >= (3.5 if loose or not quoted else 3.2)
