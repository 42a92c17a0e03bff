"""Hosts and paths: tables of cases."""

import pytest

from intelligence.wire.registry import Registry, Target, is_loopback

REGISTRY = Registry(
    [
        ("*.llm.example.com", "openai"),
        ("claude.example.com:8443", "anthropic-messages"),
        ("10.0.0.5:9000", None),
        ("gpu.lan:11434", "ollama"),
        ("bedrock.example.com", "bedrock"),
        ("[2001:db8::1]:9000", None),
    ]
)


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("api.openai.com", 443, "openai"),
        ("eu.api.openai.com", 443, "openai"),
        ("evil-api.openai.com", 443, None),
        ("api.openai.com.example.net", 443, None),
        ("platform.openai.com", 443, None),
        ("chatgpt.com", 443, "openai"),
        ("my-resource.openai.azure.com", 443, "azure.ai.openai"),
        ("openai.azure.com", 443, None),
        ("us-east5-aiplatform.googleapis.com", 443, "gcp.vertex_ai"),
        ("storage.googleapis.com", 443, None),
        ("bedrock-runtime.eu-west-1.amazonaws.com", 443, "aws.bedrock"),
        ("s3.eu-west-1.amazonaws.com", 443, None),
        ("api.individual.githubcopilot.com", 443, "github.copilot"),
        ("models.inference.ai.azure.com", 443, "github.models"),
        ("x.inference.ai.azure.com", 443, "azure.ai.inference"),
        ("localhost", 11434, "ollama"),
        ("127.0.0.1", 1234, "lm_studio"),
        ("127.8.8.8", 8000, "vllm"),
        ("::1", 8080, "llama_cpp"),
        ("localhost", 9999, None),
        ("192.168.1.2", 11434, None),
        ("a.llm.example.com", 80, "llm.example.com"),
        ("llm.example.com", 80, None),
        ("claude.example.com", 8443, "claude.example.com"),
        ("claude.example.com", 443, None),
        ("10.0.0.5", 9000, "10.0.0.5"),
        ("2001:db8::1", 9000, "2001:db8::1"),
        ("x" * 5000, 443, None),
        ("", 443, None),
    ],
)
def test_provider(host, port, name):
    found = REGISTRY.provider_for(host, port)
    assert (found and found.name) == name


OPENAI, CLAUDE, GEMINI = "api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"
VERTEX, BEDROCK = "us-east5-aiplatform.googleapis.com", "bedrock-runtime.us-east-1.amazonaws.com"
AZURE = "r.openai.azure.com"


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        (OPENAI, "/v1/chat/completions", ("chat", "openai-chat", None, None)),
        (OPENAI, "//v1/chat/completions/", ("chat", "openai-chat", None, None)),
        (OPENAI, "/v1/chat/completions?x=/v1/models", ("chat", "openai-chat", None, None)),
        (OPENAI, "/v1/chat/completions/abc", None),
        (OPENAI, "/v1/models?next=/v1/chat/completions", None),
        (OPENAI, "/v1/completions", ("text_completion", "openai-completions", None, None)),
        (OPENAI, "/v1/responses", ("responses", "openai-responses", None, None)),
        (OPENAI, "/v1/responses/resp_1/cancel", None),
        (OPENAI, "/v1/responses/input_tokens", ("count_tokens", "openai-responses", None, None)),
        (OPENAI, "/v1/embeddings", ("embeddings", "openai-embeddings", None, None)),
        (OPENAI, "/v1/images/generations", ("images", "openai-images", None, None)),
        (OPENAI, "/v1/audio/speech", ("audio", "openai-audio", None, None)),
        (OPENAI, "/v1/moderations", ("moderations", "openai-moderations", None, None)),
        (OPENAI, "/v1/realtime/client_secrets", ("realtime", "openai-realtime", None, None)),
        (OPENAI, "/v1/files", None),
        ("chatgpt.com", "/backend-api/codex/responses", ("responses", "openai-responses", None, None)),
        ("chatgpt.com", "/backend-api/conversation/init", None),
        (AZURE, "/openai/deployments/my%2Fgpt/chat/completions", ("chat", "openai-chat", "my/gpt", None)),
        (AZURE, "/openai/deployments/e/embeddings", ("embeddings", "openai-embeddings", "e", None)),
        (CLAUDE, "/v1/messages?beta=true", ("chat", "anthropic-messages", None, None)),
        (CLAUDE, "/v1/messages/count_tokens", ("count_tokens", "anthropic-messages", None, None)),
        (CLAUDE, "/v1/messages/batches", None),
        (CLAUDE, "/api/event_logging/v2/batch", None),
        (CLAUDE, "/api/eval/sdk-1", None),
        (GEMINI, "/v1beta/models/g-2:generateContent", ("generate_content", "gemini", "g-2", False)),
        (
            GEMINI,
            "/v1/models/g-2:streamGenerateContent?alt=sse",
            ("generate_content", "gemini", "g-2", True),
        ),
        (GEMINI, "/v1beta/models/g:countTokens", ("count_tokens", "gemini", "g", False)),
        (GEMINI, "/v1beta/models/e:batchEmbedContents", ("embeddings", "gemini", "e", False)),
        (GEMINI, "/v1beta/openai/chat/completions", ("chat", "openai-chat", None, None)),
        (GEMINI, "/v1beta/files", None),
        (
            "cloudcode-pa.googleapis.com",
            "/v1internal:streamGenerateContent?alt=sse",
            ("generate_content", "gemini", None, True),
        ),
        ("cloudcode-pa.googleapis.com", "/v1internal:loadCodeAssist", None),
        (
            VERTEX,
            "/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:streamRawPredict",
            ("chat", "anthropic-messages", "claude@1", True),
        ),
        (
            VERTEX,
            "/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict",
            ("embeddings", "gemini", "text-embedding-005", False),
        ),
        (BEDROCK, "/model/a.b-v1%3A0/converse-stream", ("chat", "bedrock-converse", "a.b-v1:0", True)),
        (
            BEDROCK,
            "/model/arn%3Aaws%3Abedrock%3Aus%3A1%3Ainference-profile%2Fx/invoke",
            ("chat", "bedrock-invoke", "arn:aws:bedrock:us:1:inference-profile/x", False),
        ),
        (
            BEDROCK,
            "/model/amazon.titan-embed-text-v2:0/invoke",
            ("embeddings", "bedrock-invoke", "amazon.titan-embed-text-v2:0", False),
        ),
        ("api.cohere.com", "/v2/chat", ("chat", "cohere-v2", None, None)),
        ("api.cohere.com", "/v1/chat", ("chat", "cohere-v1", None, None)),
        ("api.cohere.com", "/v2/rerank", ("rerank", "rerank", None, None)),
        ("api.deepseek.com", "/beta/chat/completions", ("chat", "openai-chat", None, None)),
        ("api.mistral.ai", "/v1/fim/completions", ("text_completion", "openai-chat", None, None)),
        ("api.z.ai", "/api/anthropic/v1/messages", ("chat", "anthropic-messages", None, None)),
        (
            "w.cloud.databricks.com",
            "/serving-endpoints/llama/invocations",
            ("chat", "openai-chat", "llama", None),
        ),
        (
            "api.cloudflare.com",
            "/client/v4/accounts/a/ai/run/@cf/meta/llama-3",
            ("chat", "cloudflare", "@cf/meta/llama-3", None),
        ),
        (
            "api2.cursor.sh",
            "/aiserver.v1.ChatService/StreamUnifiedChatWithTools",
            ("unknown", "cursor", None, True),
        ),
        ("api2.cursor.sh", "/aiserver.v1.AnalyticsService/Batch", None),
        (OPENAI, "/" + "a" * 9000 + "/chat/completions", None),
    ],
)
def test_path(host, path, expected):
    target = REGISTRY.classify(host, 443, "POST", path)
    assert (target and (target.operation, target.format, target.model, target.stream)) == expected
    assert REGISTRY.classify(host, 443, "GET", path) is None


@pytest.mark.parametrize(
    ("path", "operation"),
    [("/api/chat", "chat"), ("/api/generate", "text_completion"), ("/api/embeddings", "embeddings")],
)
def test_ollama(path, operation):
    assert REGISTRY.classify("gpu.lan", 11434, "POST", path) == Target("gpu.lan", operation, "ollama")
    assert REGISTRY.classify("localhost", 11434, "POST", path) == Target("ollama", operation, "ollama")


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        (OPENAI, "/v1/realtime?model=gpt-realtime", Target("openai", "realtime", "openai-realtime", "gpt-realtime", True)),
        (AZURE, "/openai/realtime?deployment=rt", Target("azure.ai.openai", "realtime", "openai-realtime", "rt", True)),
        (OPENAI, "/v1/responses", Target("openai", "responses", "openai-responses", None, True)),
        ("chatgpt.com", "/backend-api/codex/responses", Target("openai", "responses", "openai-responses", None, True)),
        (
            GEMINI,
            "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k",
            Target("gcp.gemini", "realtime", "gemini-live", None, True),
        ),
        (
            VERTEX,
            "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
            Target("gcp.vertex_ai", "realtime", "gemini-live", None, True),
        ),
        (OPENAI, "/v1/chat/completions", None),
        ("localhost", "/hot-reload", None),
    ],
)  # fmt: skip
def test_websocket(host, path, expected):
    assert REGISTRY.classify(host, 443, "GET", path, websocket=True) == expected


@pytest.mark.parametrize(
    ("path", "format_"),
    [
        ("/v1/chat/completions", "openai-chat"),
        ("/proxy/v1/messages", "anthropic-messages"),
        ("/v1beta/models/g:generateContent", "gemini"),
        ("/responses", None),
        ("/api/chat", None),
        ("/model/x/invoke", None),
        ("/upload", None),
    ],
)
def test_hosts_outside_the_registry(path, format_):
    target = REGISTRY.classify_any("POST", path)
    assert (target and target.format) == format_
    assert target is None or target.provider is None


@pytest.mark.parametrize(
    ("host", "path", "keys", "operation", "format_"),
    [
        ("x.llm.example.com", "/gen", {"messages"}, "chat", "openai-chat"),
        ("claude.example.com", "/gen", {"messages"}, "chat", "anthropic-messages"),
        ("other.example.net", "/gen", {"messages"}, "chat", "openai-chat"),
        ("other.example.net", "/x/messages", {"messages"}, "chat", "anthropic-messages"),
        ("other.example.net", "/api/chat", {"messages"}, "chat", "ollama"),
        ("other.example.net", "/gen", {"contents"}, "generate_content", "gemini"),
        ("other.example.net", "/gen", {"input"}, "responses", "openai-responses"),
        ("other.example.net", "/api/embed", {"input"}, "embeddings", "ollama"),
        ("other.example.net", "/embed", {"input"}, "embeddings", "openai-embeddings"),
        ("other.example.net", "/gen", {"prompt"}, "text_completion", "openai-completions"),
    ],
)
def test_guess(host, path, keys, operation, format_):
    target = REGISTRY.guess(host, 8443, path, keys)
    assert (target.operation, target.format) == (operation, format_)


def test_a_host_of_the_user_has_the_paths_of_its_family():
    target = REGISTRY.classify("bedrock.example.com", 443, "POST", "/model/m/invoke")
    assert target == Target("bedrock.example.com", "chat", "bedrock-invoke", "m", False)
    assert REGISTRY.classify("x.llm.example.com", 443, "POST", "/model/m/invoke") is None


def test_name_constraints():
    subtrees = REGISTRY.dns_subtrees()
    assert {
        "api.openai.com",
        "openai.azure.com",
        "amazonaws.com",
        "llm.example.com",
        "claude.example.com",
    } <= set(subtrees)
    assert "googleapis.com" in subtrees
    assert GEMINI not in subtrees, "already within googleapis.com"
    assert not [a for a in subtrees for b in subtrees if a.endswith("." + b)]
    assert REGISTRY.ip_addresses() == ["10.0.0.5", "127.0.0.1", "2001:db8::1", "::1"]
    assert Registry([("*", None)]).dns_subtrees() == [""]


def test_unknown_format_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean anthropic"):
        Registry([("x.example.com", "antropic")])


def test_caches_are_bounded():
    registry = Registry()
    for i in range(10_000):
        registry.provider_for(f"h{i}.example.com", 443)
        registry.classify(OPENAI, 443, "POST", f"/v1/files/{i}")
        registry.classify(OPENAI, 443, "POST", "/x" * 600 + str(i))
    assert registry.provider_for.cache_info().currsize <= 4096
    assert registry._match.cache_info().currsize <= 4096


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("::ffff:127.0.0.1", True),
        ("notlocalhost", False),
        ("1.2.3.4", False),
    ],
)
def test_loopback(host, expected):
    assert is_loopback(host) is expected
