"""Who calls whom in a made-up organisation: users, their clients, the models these ask for, and the folders they work in."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

ANTHROPIC, OPENAI, GEMINI = "anthropic-messages", "openai-chat", "gemini"
HOSTS = {
    "anthropic": ("api.anthropic.com", "/v1/messages", ANTHROPIC),
    "openai": ("api.openai.com", "/v1/chat/completions", OPENAI),
    "gcp.gemini": (
        "generativelanguage.googleapis.com",
        "/v1beta/models/{}:streamGenerateContent?alt=sse",
        GEMINI,
    ),
    "mistral_ai": ("api.mistral.ai", "/v1/chat/completions", OPENAI),
    "groq": ("api.groq.com", "/openai/v1/chat/completions", OPENAI),
    "deepseek": ("api.deepseek.com", "/chat/completions", OPENAI),
}
# The first of a row is the one most asked for.
MODELS = {
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5"),
    "openai": ("gpt-5", "gpt-5-mini", "gpt-4o", "gpt-4.1"),
    "gcp.gemini": ("gemini-2.5-pro", "gemini-2.5-flash"),
    "mistral_ai": ("mistral-large-latest", "codestral-latest"),
    "groq": ("llama-3.3-70b-versatile", "openai/gpt-oss-120b"),
    "deepseek": ("deepseek-chat", "deepseek-reasoner"),
}
# Client, its version, how often it is used, whether it is an agent, and whom it calls.
CLIENTS = (
    ("claude-code", "2.0.14", 8, True, ("anthropic",)),
    ("codex", "0.46.0", 5, True, ("openai",)),
    ("gemini-cli", "0.8.2", 3, True, ("gcp.gemini",)),
    ("aider", "0.86.1", 3, True, ("anthropic", "openai", "deepseek")),
    ("opencode", "0.15.2", 3, True, ("anthropic", "openai", "groq")),
    ("openai-python", "2.3.0", 5, False, ("openai", "groq", "mistral_ai", "deepseek")),
    ("anthropic-python", "0.69.0", 3, False, ("anthropic",)),
    ("google-genai", "1.42.0", 2, False, ("gcp.gemini",)),
    ("httpx", "0.28.1", 1, False, ("mistral_ai", "groq", "deepseek")),
    ("requests", "2.32.5", 1, False, ("openai", "mistral_ai")),
)
USERS = (
    "alice bob carol dave erin frank grace heidi ivan judy kevin laura mallory niaj olivia peggy quentin rupert sybil trent"
).split()
PROJECTS = (
    "billing-api web-shop data-pipeline mobile-app infra search-service docs-site auth-gateway ml-training report-builder"
).split()
TOOLS = {"Read": "path", "Bash": "command", "Edit": "path", "Grep": "pattern"}


@dataclass(frozen=True, slots=True)
class Workplace:
    """One user at one client with one model in one folder. `prefix` is how each of its requests begins, up to the messages."""

    user: str
    client: str
    version: str
    agent: bool
    provider: str
    model: str
    folder: str | None
    repository: str | None
    credential_kind: str
    fingerprint: str
    headers: str
    prefix: bytes

    @property
    def format(self) -> str:
        return HOSTS[self.provider][2]

    @property
    def operation(self) -> str:
        return "generate_content" if self.format == GEMINI else "chat"

    @property
    def path(self) -> str:
        return HOSTS[self.provider][1].format(self.model)


def workplaces(rng: random.Random) -> tuple[list[Workplace], list[float]]:
    """And how much each is used: some users and clients far more than others. Every client and model occurs."""
    found, weights = [], []
    for n, user in enumerate(USERS):
        used = rng.sample(CLIENTS, 4) if n else list(CLIENTS)
        for client, version, often, agent, providers in used:
            for provider in providers:
                for place, model in enumerate(MODELS[provider]):
                    if n and place and rng.random() < 0.5:
                        continue
                    project = rng.choice(PROJECTS) if agent else None
                    found.append(_workplace(rng, user, client, version, agent, provider, model, project))
                    weights.append(often / (n + 2) / (place + 1) ** 1.5 / len(providers))
    return found, weights


def _workplace(
    rng: random.Random,
    user: str,
    client: str,
    version: str,
    agent: bool,
    provider: str,
    model: str,
    project: str | None,
) -> Workplace:
    folder = f"/home/{user}/{project}" if project else None
    system = "You answer in few words, and say what you do not know."
    if folder:
        system = (
            f"You are {client}, a coding agent in a terminal. "
            + "Read a file before you change it; run the tests after. " * 12
            + f"\nWorking directory: {folder}\nRepository: acme/{project}\n"
        )
    headers = [["content-type", "application/json"], ["user-agent", f"{client}/{version}"]]
    return Workplace(
        user,
        client,
        version,
        agent,
        provider,
        model,
        folder,
        f"acme/{project}" if project else None,
        "oauth" if client == "claude-code" and rng.random() < 0.5 else "api_key",
        f"{rng.getrandbits(128):032x}",
        json.dumps(headers, separators=(",", ":")),
        _prefix(HOSTS[provider][2], model, system, agent),
    )


def _prefix(format: str, model: str, system: str, agent: bool) -> bytes:
    """A body whose keys stand so that the messages come last."""
    schemas = {
        name: {"type": "object", "properties": {argument: {"type": "string"}}}
        for name, argument in (TOOLS if agent else {}).items()
    }
    says = "Use it for what its name says, with care for large results."
    if format == ANTHROPIC:
        tools = [{"name": name, "description": says, "input_schema": s} for name, s in schemas.items()]
        value = {"model": model, "max_tokens": 8192, "system": system, "tools": tools, "stream": True}
        ending = b',"messages":['
    elif format == GEMINI:
        declared = [{"name": name, "description": says, "parameters": s} for name, s in schemas.items()]
        value = {
            "systemInstruction": {"parts": [{"text": system}]},
            "tools": [{"functionDeclarations": declared}],
        }
        ending = b',"contents":['
    else:
        functions = [{"name": name, "description": says, "parameters": s} for name, s in schemas.items()]
        tools = [{"type": "function", "function": function} for function in functions]
        value = {"model": model, "tools": tools, "stream": True, "stream_options": {"include_usage": True}}
        opening = json.dumps({"content": system, "role": "system"}, separators=(",", ":")).encode()
        ending = b',"messages":[' + opening + b","
    if not agent:
        value.pop("tools", None)
    return json.dumps(value, separators=(",", ":")).encode()[:-1] + ending
