"""How each coding agent is run without a person: its command, what it needs in its home, and what its calls look like.

Every prompt asks for one tool call (the offline provider obeys, see `addons/offline/script.py`), so that there are two turns at
least. Variables that end in nothing but less chatter (telemetry, updates) are all a run adds to the environment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

MARK = "the-tool-has-run"
SHELL = f"echo {MARK}"


@dataclass(frozen=True)
class Agent:
    """`program` is what npm installs, `home` are files (path: text) put into an empty home beforehand.

    Expected of its calls: `provider`, `operation`, `client` as in the view `calls`; `model` of those that the prompt leads to
    (empty: its own choice); `tool` is the one called; `websocket` whether they come that way.
    """

    name: str
    package: str
    program: str
    arguments: tuple[str, ...]
    provider: str
    operation: str
    model: str
    client: str
    tool: str
    env: dict[str, str] = field(default_factory=dict)
    home: dict[str, str] = field(default_factory=dict)
    websocket: bool = False


def _ask(tool: str, arguments: str) -> str:
    return f"Please use tool {tool} with {arguments}"


CLAUDE = Agent(
    name="claude",
    package="@anthropic-ai/claude-code",
    program="claude",
    arguments=(
        "-p",
        _ask("Bash", json.dumps({"command": SHELL, "description": "Say a word"})),
        "--model=claude-sonnet-4-6",
        "--allowedTools=Bash",
    ),
    provider="anthropic",
    operation="chat",
    model="claude-sonnet-4-6",
    client="claude-code",
    tool="Bash",
    env={
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    },
)

_CODEX = (
    "exec",
    "--skip-git-repo-check",
    "--dangerously-bypass-approvals-and-sandbox",
    "--disable=plugins",
    "-c",
    "analytics.enabled=false",
    "-c",
    "check_for_update_on_startup=false",
)
_CODEX_PROMPT = _ask("exec", f'text((await tools.exec_command({{cmd: "{SHELL}"}})).output)')
# The provider that Codex has built in, but for the WebSocket.
_OVER_HTTP = (
    'model_providers.http={name="OpenAI over HTTP", base_url="https://api.openai.com/v1", env_key="OPENAI_API_KEY", '
    'wire_api="responses", supports_websockets=false}'
)

CODEX = Agent(
    name="codex",
    package="@openai/codex",
    program="codex",
    arguments=(*_CODEX, _CODEX_PROMPT),
    provider="openai",
    operation="responses",
    model="",
    client="codex",
    tool="exec",
    env={"CODEX_API_KEY": "sk-test"},
    websocket=True,
)

CODEX_HTTP = Agent(
    name="codex-http",
    package="@openai/codex",
    program="codex",
    arguments=(*_CODEX, "-c", _OVER_HTTP, "-c", 'model_provider="http"', _CODEX_PROMPT),
    provider="openai",
    operation="responses",
    model="",
    client="codex",
    tool="exec",
    env={"OPENAI_API_KEY": "sk-test"},
)

GEMINI = Agent(
    name="gemini",
    package="@google/gemini-cli",
    program="gemini",
    arguments=(
        "--skip-trust",
        "--yolo",
        "--model=gemini-2.5-flash",
        "--prompt",
        _ask("run_shell_command", json.dumps({"command": SHELL})),
    ),
    provider="gcp.gemini",
    operation="generate_content",
    model="gemini-2.5-flash",
    client="gemini-cli",
    tool="run_shell_command",
    env={"GEMINI_API_KEY": "AIza-test", "GEMINI_SANDBOX": "false"},
    home={
        ".gemini/settings.json": json.dumps(
            {
                "security": {"auth": {"selectedType": "gemini-api-key"}},
                "privacy": {"usageStatisticsEnabled": False},
                "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            }
        )
    },
)

OPENCODE = Agent(
    name="opencode",
    package="opencode-ai",
    program="opencode",
    arguments=(
        "run",
        "--model=anthropic/claude-sonnet-4-6",
        "--auto",
        # Word by word: an argument with a space in it gets quotes of opencode's own around it, within which JSON is none.
        *_ask("bash", json.dumps({"command": SHELL, "description": "Say a word"})).split(" "),
    ),
    provider="anthropic",
    operation="chat",
    model="claude-sonnet-4-6",
    client="opencode",
    tool="bash",
    env={
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_SHARE": "1",
    },
)

AGENTS = (CLAUDE, CODEX, CODEX_HTTP, GEMINI, OPENCODE)
