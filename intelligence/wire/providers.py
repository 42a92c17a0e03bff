"""The LLM providers llmitm knows: which hosts are theirs, and what their calls speak when the path does not say.

A host is a glob over the whole name (`*` also spans dots). `format` is the wire format assumed for a JSON POST on a path that
`paths.py` does not list. Names are those of OpenTelemetry's `gen_ai.provider.name` where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    name: str
    format: str | None


# Provider | format | hosts
TABLE = """
openai              | openai-chat        | api.openai.com *.api.openai.com chatgpt.com
azure.ai.openai     | openai-chat        | *.openai.azure.com *.openai.azure.us *.openai.azure.cn *.cognitiveservices.azure.com
azure.ai.inference  | openai-chat        | *.services.ai.azure.com *.models.ai.azure.com *.inference.ai.azure.com
anthropic           | anthropic-messages | api.anthropic.com *.api.anthropic.com
gcp.gemini          | gemini             | generativelanguage.googleapis.com cloudcode-pa.googleapis.com
gcp.vertex_ai       | gemini             | aiplatform.googleapis.com *-aiplatform.googleapis.com *.rep.googleapis.com
aws.bedrock         | bedrock-converse   | bedrock-runtime.*.amazonaws.com bedrock-runtime-fips.*.amazonaws.com
aws.bedrock         | bedrock-converse   | *.bedrock-runtime.*.vpce.amazonaws.com bedrock-runtime.*.amazonaws.com.cn
aws.bedrock         | openai-chat        | bedrock-mantle.*.api.aws
mistral_ai          | openai-chat        | api.mistral.ai codestral.mistral.ai
cohere              | cohere-v2          | api.cohere.com api.cohere.ai
groq                | openai-chat        | api.groq.com
x_ai                | openai-chat        | api.x.ai *.api.x.ai
deepseek            | openai-chat        | api.deepseek.com
openrouter          | openai-chat        | openrouter.ai
together            | openai-chat        | api.together.ai api.together.xyz
fireworks           | openai-chat        | api.fireworks.ai
perplexity          | openai-chat        | api.perplexity.ai
cerebras            | openai-chat        | api.cerebras.ai
hugging_face        | openai-chat        | router.huggingface.co api-inference.huggingface.co *.endpoints.huggingface.cloud
nvidia              | openai-chat        | integrate.api.nvidia.com ai.api.nvidia.com
replicate           | replicate          | api.replicate.com
databricks          | openai-chat        | *.azuredatabricks.net *.cloud.databricks.com *.gcp.databricks.com
cloudflare          | cloudflare         | api.cloudflare.com gateway.ai.cloudflare.com
github.copilot      | openai-chat        | api.githubcopilot.com *.githubcopilot.com copilot-proxy.githubusercontent.com
github.models       | openai-chat        | models.github.ai models.inference.ai.azure.com
cursor              | cursor             | api2.cursor.sh api3.cursor.sh api4.cursor.sh api5.cursor.sh *.api5.cursor.sh
moonshot            | openai-chat        | api.moonshot.ai api.moonshot.cn api.kimi.com
zai                 | openai-chat        | api.z.ai open.bigmodel.cn
minimax             | openai-chat        | api.minimax.io api.minimax.chat api.minimaxi.com api.minimaxi.chat
dashscope           | dashscope          | dashscope.aliyuncs.com dashscope-intl.aliyuncs.com dashscope-us.aliyuncs.com
voyage              | openai-embeddings  | api.voyageai.com
vercel              | openai-chat        | ai-gateway.vercel.sh
portkey             | openai-chat        | api.portkey.ai
pydantic            | openai-chat        | gateway.pydantic.dev
writer              | openai-chat        | api.writer.com
avian               | openai-chat        | api.avian.io
opencode            | openai-chat        | opencode.ai
"""

# Servers on the user's own machine, told by their usual port on a loopback host: port | provider | format
LOCAL = """
11434 | ollama    | ollama
1234  | lm_studio | openai-chat
8000  | vllm      | openai-chat
8080  | llama_cpp | openai-chat
"""


def known_hosts() -> list[tuple[str, Provider]]:
    """Every host glob of the table with its provider, in order: the first that matches wins."""
    found = []
    for name, format_, hosts in _rows(TABLE):
        provider = Provider(name, format_)
        found += [(host, provider) for host in hosts.split()]
    return found


def local_ports() -> dict[int, Provider]:
    return {int(port): Provider(name, format_) for port, name, format_ in _rows(LOCAL)}


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
