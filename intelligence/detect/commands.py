# ruff: noqa: E501  (a pattern reads better whole)
"""Commands that destroy, open or give away a machine: in what a model asks a tool to run.

Looked for in tool calls, not in prose: there a tutorial may say `rm -rf /`. Shell, SQL, git, clouds, and reading of
credentials.

Limits: a command that is built at run time, or hidden in a script that is only named, is not seen.
"""

from __future__ import annotations

from functools import cache

from intelligence.detect.detection import Detection
from intelligence.detect.engine import Group, Rule, Text

_FLAGS = r"(?:-{1,2}[A-Za-z-]{1,24}(?:=\S{1,40})?\s{1,4}){0,6}"
_SHELLS = r"(?:sudo\s{1,3})?(?:ba|z|da|k|fi)?sh|python[0-9.]{0,4}|perl|ruby|node|php|pwsh|powershell|iex"
_CREDENTIAL_FILES = (
    r"(?:~|\$HOME|/root|/home/[a-z0-9._-]{1,32}|/Users/[A-Za-z0-9._-]{1,32})?/?(?:\.ssh/(?:id_[a-z0-9]{2,10}|authorized_keys|config)|\.aws/credentials|\.netrc|\.git-credentials|\.kube/config"
    r"|\.docker/config\.json|\.npmrc|\.pypirc|\.gnupg/|\.config/gcloud/|\.azure/)|/etc/shadow\b|/etc/sudoers\b|/proc/(?:self|[0-9]{1,7})/environ|\bSAM\b.{0,20}system32"
)

# (type, score, pattern)
RULES: tuple[tuple[str, float, str], ...] = (
    (
        "delete_tree",
        0.95,
        r"\brm\s{1,4}(?:-{1,2}[A-Za-z-]{1,24}\s{1,4}){0,4}-{1,2}(?:[a-z]{0,4}r[a-z]{0,4}|recursive)\s{1,4}(?:-{1,2}[A-Za-z-]{1,24}\s{1,4}){0,4}[\"']?(?:/(?:\*|\s|$|[\"';&|])|~(?:/?\s|/?$|/\*|/?[\"';&|])|\$HOME\b|\$\{HOME\}|/(?:etc|usr|var|home|root|boot|bin|lib|opt|srv|Users|System)(?:/\*|/?[\s\"';&|]|/?$)|\*(?:\s|$)|\.\.?/?(?:\s|$|\*|[\"';&|]))",
    ),
    ("delete_tree", 0.9, r"\brm\s{1,4}" + _FLAGS + r"--no-preserve-root\b"),
    ("delete_tree", 0.9, r"(?i)\bfind\s{1,4}(?:/|~|\$HOME)\S{0,40}\s.{0,80}-(?:delete\b|exec\s{1,3}rm\b)"),
    (
        "delete_tree",
        0.9,
        r"(?i)\b(?:del|erase|rd|rmdir)\s{1,4}(?:/[sqf]\s{1,4}){1,4}[\"']?(?:[a-z]:\\?|%[a-z]{1,20}%)|Remove-Item\b.{0,80}-Recurse\b.{0,40}-Force\b|\bformat\s{1,3}[a-z]:",
    ),
    ("delete_tree", 0.9, r"shutil\.rmtree\(\s{0,3}[\"'](?:/|~|/(?:etc|home|usr|var)/?)[\"']"),
    (
        "wipe_disk",
        0.95,
        r"\bmkfs(?:\.[a-z0-9]{2,8})?\s{1,4}.{0,40}/dev/|\bdd\s.{0,60}\bof=/dev/(?:sd|hd|nvme|vd|disk|mmcblk)|>\s{0,2}/dev/(?:sd[a-z]|nvme[0-9]|disk[0-9])|\b(?:shred|wipefs)\s.{0,40}/dev/|\bdiskutil\s{1,3}eraseDisk",
    ),
    ("fork_bomb", 0.95, r":\(\)\s{0,3}\{\s{0,3}:\s{0,3}\|\s{0,3}:\s{0,3}&\s{0,3}\}\s{0,3};\s{0,3}:"),
    (
        "pipe_to_shell",
        0.95,
        rf"\b(?:curl|wget|fetch|iwr|Invoke-WebRequest)\b[^\n|;]{{1,300}}\|\s{{0,4}}(?:base64\s{{1,3}}-{{1,2}}d(?:ecode)?\s{{0,3}}\|\s{{0,3}})?(?:{_SHELLS})\b",
    ),
    (
        "pipe_to_shell",
        0.95,
        rf"\b(?:{_SHELLS})\s{{1,4}}(?:-c\s{{1,3}})?[\"']?(?:<\(|\$\(|`)\s{{0,3}}(?:curl|wget)\b",
    ),
    (
        "pipe_to_shell",
        0.95,
        r"(?i)\b(?:iex|Invoke-Expression)\b.{0,60}(?:DownloadString|Invoke-WebRequest|iwr|Net\.WebClient)|DownloadString\(.{0,200}\)\s{0,3}\|\s{0,3}iex",
    ),
    (
        "pipe_to_shell",
        0.9,
        rf"\bbase64\s{{1,3}}-{{1,2}}(?:d|D|decode)\b[^\n|;]{{0,100}}\|\s{{0,4}}(?:{_SHELLS})\b",
    ),
    (
        "pipe_to_shell",
        0.9,
        r"\b(?:curl|wget)\b[^\n]{1,200}(?:&&|;)\s{0,3}(?:chmod\s{1,3}(?:\+x|[0-7]{3,4})\s[^\n]{1,80}(?:&&|;)\s{0,3}(?:sudo\s)?\./|(?:sudo\s{1,3})?(?:ba|z)?sh\s)",
    ),
    (
        "reverse_shell",
        0.95,
        r"/dev/(?:tcp|udp)/[A-Za-z0-9.$_{}-]{1,80}/[0-9$]{1,6}|\b(?:nc|ncat|netcat)\b.{0,60}\s-{1,2}(?:e|c|exec|[a-z]{1,4}e)\s{1,3}(?:/bin/|cmd|powershell|(?:ba)?sh)|\bmkfifo\b.{0,120}\b(?:nc|ncat|netcat|telnet|openssl)\b|\bsocat\b.{0,100}\bEXEC:",
    ),
    (
        "reverse_shell",
        0.95,
        r"socket\.socket\(.{0,300}(?:os\.dup2|subprocess\.(?:call|Popen|run)\(\[[\"']/bin/)|fsockopen\(.{0,80}(?:exec|shell_exec|proc_open)\(|\bsocket\(S,PF_INET.{0,200}exec|New-Object\s{1,3}(?:System\.)?Net\.Sockets\.TCPClient",
    ),
    (
        "open_permissions",
        0.9,
        r"\bchmod\s{1,4}(?:-[A-Za-z]{1,4}\s{1,4}){0,3}(?:0?777|a\+rwx|ugo\+rwx|o\+w|a\+w)\b|\bchmod\s{1,4}(?:-[A-Za-z]{1,4}\s{1,4}){0,3}(?:u\+s|[4-6][0-7]{3})\s|\bicacls\b.{0,80}/grant\s{1,3}Everyone:",
    ),
    (
        "disable_protection",
        0.9,
        r"\bsetenforce\s{1,3}0\b|\bufw\s{1,3}disable\b|\biptables\s{1,3}(?:-F|--flush)\b|\bsystemctl\s{1,3}(?:stop|disable)\s{1,3}(?:firewalld|ufw|apparmor|auditd|falco)|Set-MpPreference\s.{0,60}-Disable|\bcsrutil\s{1,3}disable|\bhistory\s{1,3}-c\b|\bunset\s{1,3}HISTFILE\b|\bspctl\s{1,3}--master-disable",
    ),
    (
        "persistence",
        0.9,
        r"(?:>>|\btee\s{1,3}-a)\s{0,3}[\"']?(?:~|\$HOME|/root|/home/[a-z0-9._-]{1,32})/\.ssh/authorized_keys|\|\s{0,3}crontab\b|>>?\s{0,3}/etc/(?:cron|passwd|sudoers|ld\.so\.preload|rc\.local)|\bNOPASSWD\s{0,2}:\s{0,2}ALL|\buseradd\b.{0,60}\s-(?:o|ou)\s{1,3}(?:-u\s{1,3})?0\b|\bschtasks\s{1,3}/create\b|\breg\s{1,3}add\b.{0,120}\\Run\b",
    ),
    (
        "drop_data",
        0.9,
        r"(?i)\bdrop\s{1,4}(?:table|database|schema|view|user|role|keyspace|collection)\s{1,4}(?:if\s{1,3}exists\s{1,3})?[\"'`\[]?[A-Za-z_*]",
    ),
    (
        "drop_data",
        0.9,
        r"(?i)\btruncate\s{1,4}(?:table\s{1,4})?[\"'`\[]?[a-z_][a-z0-9_.]{0,60}[\"'`\]]?\s{0,3}(?:;|cascade|restart|$|\")",
    ),
    (
        "drop_data",
        0.9,
        r"(?i)\bdelete\s{1,4}from\s{1,4}[\"'`\[]?[a-z_][a-z0-9_.\"'`\]\[]{0,80}\s{0,3}(?:;|$|\"|\\n|where\s{1,3}(?:1\s{0,2}=\s{0,2}1|true)\b)",
    ),
    (
        "drop_data",
        0.9,
        r"(?i)\bupdate\s{1,4}[a-z_][a-z0-9_.]{0,60}\s{1,4}set\s[^;\n]{1,200}\bwhere\s{1,3}(?:1\s{0,2}=\s{0,2}1|true)\b|\b(?:dropDatabase|deleteMany\(\s{0,3}\{\s{0,3}\}|FLUSHALL|FLUSHDB)\b",
    ),
    (
        "sql_shell",
        0.9,
        r"(?i)\bxp_cmdshell\b|\binto\s{1,3}outfile\b|\bcopy\s.{1,120}\b(?:to|from)\s{1,3}program\b|\bload_file\s{0,2}\(",
    ),
    (
        "force_push",
        0.9,
        r"\bgit\s{1,4}push\b[^\n;&|]{0,80}?(?:\s--force(?:\s|$|[\"'])|\s-f\b|\s\+[A-Za-z0-9_/-]{1,40})|\bgit\s{1,4}push\b[^\n;&|]{0,60}\s--(?:mirror|delete)\b|\bgit\s{1,4}push\s{1,3}\S{1,40}\s{1,3}:(?:main|master)\b",
    ),
    (
        "discard_work",
        0.6,
        r"\bgit\s{1,4}(?:reset\s{1,4}--hard|clean\s{1,4}-[a-z]{0,3}f[a-z]{0,3}d?|checkout\s{1,4}--?\s{1,3}\.|branch\s{1,3}-D\s)|\bgit\s{1,4}(?:filter-branch|filter-repo|reflog\s{1,3}expire)\b",
    ),
    (
        "read_credentials",
        0.9,
        rf"(?:\b(?:cat|less|more|head|tail|cp|scp|rsync|tar|zip|base64|xxd|strings|type|grep|curl|open|read)\b|Get-Content|read_text|open\(|<)[^\n]{{0,120}}?(?:{_CREDENTIAL_FILES})",
    ),
    (
        "read_credentials",
        0.6,
        r"\b(?:cat|less|more|head|tail|base64|xxd|type|grep|source)\b[^\n;|&]{0,60}(?:^|[\s/\"'])\.env(?:\.[a-z]{2,12})?(?:[\s\"';|&]|$)|\b(?:printenv|env)\s{0,3}(?:\||>)",
    ),
    (
        "read_credentials",
        0.9,
        r"169\.254\.169\.254|metadata\.google\.internal/computeMetadata|100\.100\.100\.200/latest|\bsecurity\s{1,3}(?:find-(?:generic|internet)-password|dump-keychain)|\bmimikatz\b|\bsecretsdump\b|\blaZagne\b",
    ),
    (
        "upload_files",
        0.9,
        rf"\b(?:curl|wget|http)\b[^\n]{{0,200}}(?:-d|--data(?:-binary|-raw|-urlencode)?|-F|--form|-T|--upload-file|--post-file)[ =]{{0,3}}[\"']?[A-Za-z_=]{{0,20}}@[\"']?(?:{_CREDENTIAL_FILES}|[^\s\"']{{0,60}}(?:\.env|\.pem|\.key|id_rsa|credentials|\.kdbx|\.sqlite|passwd|shadow))",
    ),
    (
        "upload_files",
        0.9,
        r"\b(?:cat|tar|zip|env|printenv|base64)\b[^\n;]{0,160}\|\s{0,3}(?:[a-z0-9 -]{1,30}\|\s{0,3})?(?:curl|wget|nc|ncat|netcat)\b",
    ),
    (
        "cloud_delete",
        0.9,
        r"\bterraform\s{1,4}(?:destroy|apply\s{1,3}-destroy)\b|\baws\s{1,4}(?:s3\s{1,3}(?:rb\b.{0,80}--force|rm\b.{0,120}--recursive)|ec2\s{1,3}terminate-instances|rds\s{1,3}delete-db|iam\s{1,3}(?:create-access-key|attach-user-policy|put-user-policy)|dynamodb\s{1,3}delete-table|cloudformation\s{1,3}delete-stack|kms\s{1,3}schedule-key-deletion)",
    ),
    (
        "cloud_delete",
        0.9,
        r"\bkubectl\s{1,4}delete\s{1,4}(?:ns|namespaces?|all|pv|pvc|nodes?|deployments?|--all)\b|\bgcloud\s{1,4}(?:projects|sql|compute|container)\s.{0,60}\bdelete\b|\baz\s{1,4}group\s{1,3}delete\b|\bhelm\s{1,3}(?:uninstall|delete)\s|\bdocker\s{1,3}(?:system\s{1,3}prune\s.{0,20}-(?:a|-volumes)|volume\s{1,3}rm|rm\s{1,3}-f\s{1,3}\$\()",
    ),
    (
        "container_escape",
        0.9,
        r"\bdocker\s{1,3}run\b[^\n]{0,200}(?:--privileged|-v\s{1,3}/:/|--pid[= ]host|/var/run/docker\.sock)|\bnsenter\b.{0,60}(?:-t|--target)[ =]{0,2}1\b|\bchroot\s{1,3}/(?:host|mnt)",
    ),
    (
        "stop_machine",
        0.7,
        r"(?:^|[;&|\"'\s])(?:sudo\s{1,3})?(?:shutdown|poweroff|halt|reboot)(?:\s{1,3}(?:-[hrPf]|now|\+?[0-9]{1,4})\b|\s{0,2}$|\s{0,2}[\"';])|\binit\s{1,3}[06]\b|\bkill(?:all)?\s{1,3}-9\s{1,3}-1\b",
    ),
    (
        "run_anything",
        0.6,
        r"\b(?:eval|exec)\(\s{0,3}(?:base64|requests\.get|urllib|bytes\.fromhex|__import__)|\bpickle\.loads\(|\bos\.system\(\s{0,3}[\"'](?:rm|curl|wget|nc)\b|__import__\([\"']os[\"']\)\.(?:system|popen)",
    ),
    (
        "weak_tls",
        0.6,
        r"\bcurl\b[^\n|;]{0,120}\s(?:-k|--insecure)\b|\bwget\b[^\n|;]{0,120}--no-check-certificate|NODE_TLS_REJECT_UNAUTHORIZED\s{0,2}=\s{0,2}[\"']?0|\bgit\b.{0,40}http\.sslVerify[ =]{1,3}false",
    ),
    (
        "package_from_url",
        0.6,
        r"\b(?:pip[0-9.]{0,4}|uv pip)\s{1,3}install\b[^\n;|&]{0,80}(?:--(?:extra-)?index-url|--trusted-host|git\+https?://|https?://)|\bnpm\s{1,3}(?:i|install)\b[^\n;|&]{0,80}(?:--registry|https?://|git\+)",
    ),
)


@cache
def group() -> Group:
    return Group(
        [
            Rule(f"command.{type}.{number}", type, f"(?m){regex}", score)
            for number, (type, score, regex) in enumerate(RULES)
        ]
    )


def commands(text: Text, deadline: float | None = None) -> list[Detection]:
    """Dangerous commands in what a tool is asked to run. Raises `DeadlineExceeded`."""
    return [
        Detection("command", hit.rule.type, hit.rule.score, *text.span(hit.start, hit.end), hit.rule.id)
        for hit in group().hits(text, deadline)
    ]
