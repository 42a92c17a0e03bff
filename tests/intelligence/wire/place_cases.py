"""Requests and answers of every shape, and the places in them."""

from typing import Any

FUNCTION = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"properties": {"a": {"description": "one"}}},
}
# Format, operation, body -> role, source, text, pointer, tool, call id, guarded.
S, U, A = ("system", "system"), ("user", "user"), ("assistant", "assistant")
C, R, T, D = (
    ("assistant", "tool_call"),
    ("tool", "tool_result"),
    ("assistant", "thinking"),
    ("system", "tool_definition"),
)

CASES: dict[str, tuple[str, str, Any, list[tuple[Any, ...]]]] = {
    "openai chat": (
        "openai-chat",
        "chat",
        {
            "model": "m",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "name": "n",
                    "content": [
                        {"type": "text", "text": "Hi"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                    ],
                },
                {
                    "role": "assistant",
                    "reasoning_content": "hm",
                    "content": "So",
                    "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
                        {"id": "d", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "c", "content": "2"},
                {"role": "function", "name": "old", "content": [{"type": "text", "text": "3"}]},
                {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": "{}"}},
            ],
            "tools": [{"type": "function", "function": FUNCTION}],
            "metadata": {"ticket": "T-1"},
            "prediction": {"type": "content", "content": "guess"},
        },
        [
            (*S, "Be brief.", "/messages/0/content"),
            (*U, "Hi", "/messages/1/content/0/text"),
            (*T, "hm", "/messages/2/reasoning_content"),
            (*A, "So", "/messages/2/content"),
            (*C, '{"a":1}', "/messages/2/tool_calls/0/function/arguments", "add", "c"),
            (*C, "ls", "/messages/2/tool_calls/1/custom/input", "sh", "d"),
            (*R, "2", "/messages/3/content", "add", "c"),
            (*R, "3", "/messages/4/content/0/text", "old"),
            (*C, "{}", "/messages/5/function_call/arguments", "old"),
            (*U, "guess", "/prediction/content"),
            (*D, "Adds.", "/tools/0/function/description", "add"),
            (*D, "one", "/tools/0/function/parameters/properties/a/description", "add"),
            (*U, "T-1", "/metadata/ticket"),
        ],
    ),
    "openai completions": (
        "openai-completions",
        "text_completion",
        {"prompt": ["a", "b"], "suffix": "c"},
        [(*U, "a", "/prompt/0"), (*U, "b", "/prompt/1"), (*U, "c", "/suffix")],
    ),
    "responses": (
        "openai-responses",
        "responses",
        {
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {
                    "type": "reasoning",
                    "id": "r",
                    "summary": [{"type": "summary_text", "text": "hm"}],
                    "encrypted_content": "gA",
                },
                {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a":1}'},
                {"type": "function_call_output", "call_id": "c", "output": "2"},
                {"type": "custom_tool_call", "call_id": "x", "name": "exec", "input": "ls"},
                {
                    "type": "custom_tool_call_output",
                    "call_id": "x",
                    "output": [{"type": "input_text", "text": "f"}],
                },
                {
                    "type": "local_shell_call",
                    "call_id": "l",
                    "action": {"type": "exec", "command": ["ls", "-a"]},
                },
                {"type": "mcp_call", "id": "m", "name": "find", "arguments": "{}", "output": "found"},
                {
                    "type": "additional_tools",
                    "tools": [
                        {
                            "type": "namespace",
                            "tools": [{"type": "custom", "name": "exec", "description": "Runs."}],
                        }
                    ],
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Yo"}, {"type": "refusal", "refusal": "No"}],
                },
            ],
        },
        [
            (*S, "Be brief.", "/instructions"),
            (*U, "Hi", "/input/0/content/0/text"),
            (*T, "hm", "/input/1/summary/0/text", None, None, "encrypted content"),
            (*C, '{"a":1}', "/input/2/arguments", "add", "c"),
            (*R, "2", "/input/3/output", "add", "c"),
            (*C, "ls", "/input/4/input", "exec", "x"),
            (*R, "f", "/input/5/output/0/text", "exec", "x"),
            (*C, "exec", "/input/6/action/type", "local_shell_call", "l"),
            (*C, "ls", "/input/6/action/command/0", "local_shell_call", "l"),
            (*C, "-a", "/input/6/action/command/1", "local_shell_call", "l"),
            (*C, "{}", "/input/7/arguments", "find", "m", "provider-run tool"),
            (*R, "found", "/input/7/output", "find", "m", "provider-run tool"),
            (*D, "Runs.", "/input/8/tools/0/tools/0/description", "exec"),
            (*A, "Yo", "/input/9/content/0/text"),
            (*A, "No", "/input/9/content/1/refusal"),
        ],
    ),
    "responses, a text": ("openai-responses", "responses", {"input": "Hi"}, [(*U, "Hi", "/input")]),
    "anthropic": (
        "anthropic-messages",
        "chat",
        {
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "Eq"},
                        {"type": "redacted_thinking", "data": "Em"},
                        {
                            "type": "tool_use",
                            "id": "c",
                            "name": "sh",
                            "input": {"command": "ls", "n": 1, "deep": [{"a/b": "x"}]},
                        },
                        {"type": "server_tool_use", "id": "w", "name": "web_search", "input": {"query": "q"}},
                        {
                            "type": "web_search_tool_result",
                            "tool_use_id": "w",
                            "content": [
                                {"type": "web_search_result", "title": "t", "encrypted_content": "E"}
                            ],
                        },
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "c",
                            "content": [{"type": "text", "text": "f"}],
                        },
                        {"type": "tool_result", "tool_use_id": "c", "content": "g"},
                        {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "doc"},
                        },
                        {"type": "document", "source": {"type": "base64", "data": "AAAA"}},
                    ],
                },
            ],
            "tools": [
                {"name": "sh", "description": "Runs.", "input_schema": {"type": "object"}},
                {"type": "web_search_20250305", "name": "web_search"},
            ],
        },
        [
            (*S, "Be brief.", "/system/0/text"),
            (*U, "Hi", "/messages/0/content"),
            (*T, "hm", "/messages/1/content/0/thinking", None, None, "signed thinking"),
            (*C, "ls", "/messages/1/content/2/input/command", "sh", "c"),
            (*C, "x", "/messages/1/content/2/input/deep/0/a~1b", "sh", "c"),
            (*C, "q", "/messages/1/content/3/input/query", "web_search", "w", "provider-run tool"),
            (*R, "t", "/messages/1/content/4/content/0/title", "web_search", "w", "provider-run tool"),
            (*R, "f", "/messages/2/content/0/content/0/text", "sh", "c"),
            (*R, "g", "/messages/2/content/1/content", "sh", "c"),
            (*U, "doc", "/messages/2/content/2/source/data"),
            (*D, "Runs.", "/tools/0/description", "sh"),
        ],
    ),
    "gemini, code assist": (
        "gemini",
        "generate_content",
        {
            "model": "g",
            "request": {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {
                        "role": "user",
                        "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}],
                    },
                    {
                        "role": "model",
                        "parts": [
                            {"text": "hm", "thought": True},
                            {"functionCall": {"name": "add", "args": {"a": "b"}}, "thoughtSignature": "Cg"},
                        ],
                    },
                    {
                        "role": "user",
                        "parts": [
                            {"functionResponse": {"name": "add", "response": {"output": "2", "id": "i"}}}
                        ],
                    },
                    {
                        "role": "model",
                        "parts": [
                            {"executableCode": {"language": "PYTHON", "code": "1"}},
                            {"codeExecutionResult": {"output": "o"}},
                        ],
                    },
                ],
                "tools": [{"functionDeclarations": [FUNCTION]}, {"googleSearch": {}}],
            },
        },
        [
            (*S, "Be brief.", "/request/systemInstruction/parts/0/text"),
            (*U, "Hi", "/request/contents/0/parts/0/text"),
            (*T, "hm", "/request/contents/1/parts/0/text"),
            (*C, "b", "/request/contents/1/parts/1/functionCall/args/a", "add", None, "signed thinking"),
            (*R, "2", "/request/contents/2/parts/0/functionResponse/response/output", "add"),
            (*R, "i", "/request/contents/2/parts/0/functionResponse/response/id", "add"),
            (
                *C,
                "1",
                "/request/contents/3/parts/0/executableCode/code",
                "code_execution",
                None,
                "provider-run tool",
            ),
            (
                *C,
                "PYTHON",
                "/request/contents/3/parts/0/executableCode/language",
                "code_execution",
                None,
                "provider-run tool",
            ),
            (
                *R,
                "o",
                "/request/contents/3/parts/1/codeExecutionResult/output",
                None,
                None,
                "provider-run tool",
            ),
            (*D, "Adds.", "/request/tools/0/functionDeclarations/0/description", "add"),
            (*D, "one", "/request/tools/0/functionDeclarations/0/parameters/properties/a/description", "add"),
        ],
    ),
    "bedrock converse": (
        "bedrock-converse",
        "chat",
        {
            "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": "Hi"},
                        {"document": {"format": "txt", "name": "n", "source": {"bytes": "AA"}}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                        {"toolUse": {"toolUseId": "c", "name": "add", "input": {"a": "b"}}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "toolResult": {
                                "toolUseId": "c",
                                "content": [{"json": {"type": "two"}}, {"text": "three"}],
                                "status": "success",
                            }
                        }
                    ],
                },
            ],
            "toolConfig": {
                "tools": [
                    {
                        "toolSpec": {
                            "name": "add",
                            "description": "Adds.",
                            "inputSchema": {"json": {"description": "s"}},
                        }
                    }
                ]
            },
        },
        [
            (*S, "Be brief.", "/system/0/text"),
            (*U, "Hi", "/messages/0/content/0/text"),
            (
                *T,
                "hm",
                "/messages/1/content/0/reasoningContent/reasoningText/text",
                None,
                None,
                "signed thinking",
            ),
            (*C, "b", "/messages/1/content/1/toolUse/input/a", "add", "c"),
            (*R, "two", "/messages/2/content/0/toolResult/content/0/json/type", "add", "c"),
            (*R, "three", "/messages/2/content/0/toolResult/content/1/text", "add", "c"),
            (*D, "Adds.", "/toolConfig/tools/0/toolSpec/description", "add"),
            (*D, "s", "/toolConfig/tools/0/toolSpec/inputSchema/json/description", "add"),
        ],
    ),
    "bedrock invoke": (
        "bedrock-invoke",
        "chat",
        {"inputText": "Hi", "textGenerationConfig": {"stopSequences": ["x"]}},
        [(*U, "Hi", "/inputText"), (*U, "x", "/textGenerationConfig/stopSequences/0")],
    ),
    "cohere v1": (
        "cohere-v1",
        "chat",
        {
            "preamble": "Be brief.",
            "chat_history": [
                {"role": "USER", "message": "Hi"},
                {
                    "role": "CHATBOT",
                    "message": "Yo",
                    "tool_calls": [{"name": "add", "parameters": {"a": "b"}}],
                },
            ],
            "message": "And?",
            "documents": [{"title": "t", "data": {"snippet": "s"}}],
            "tool_results": [{"call": {"name": "add", "parameters": {"a": "b"}}, "outputs": [{"sum": "2"}]}],
            "tools": [
                {
                    "name": "add",
                    "description": "Adds.",
                    "parameter_definitions": {"a": {"description": "one", "type": "str"}},
                }
            ],
        },
        [
            (*S, "Be brief.", "/preamble"),
            (*U, "Hi", "/chat_history/0/message"),
            (*A, "Yo", "/chat_history/1/message"),
            (*C, "b", "/chat_history/1/tool_calls/0/parameters/a", "add"),
            (*U, "And?", "/message"),
            (*R, "t", "/documents/0/title"),
            (*R, "s", "/documents/0/data/snippet"),
            (*C, "b", "/tool_results/0/call/parameters/a", "add"),
            (*R, "2", "/tool_results/0/outputs/0/sum", "add"),
            (*D, "Adds.", "/tools/0/description", "add"),
            (*D, "one", "/tools/0/parameter_definitions/a/description", "add"),
        ],
    ),
    "cohere v2": (
        "cohere-v2",
        "chat",
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_plan": "first",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                },
                {
                    "role": "tool",
                    "tool_call_id": "c",
                    "content": [{"type": "document", "document": {"data": {"x": "y"}}}],
                },
            ]
        },
        [
            (*T, "first", "/messages/0/tool_plan"),
            (*C, "{}", "/messages/0/tool_calls/0/function/arguments", "f", "c"),
            (*R, "y", "/messages/1/content/0/document/data/x", "f", "c"),
        ],
    ),
    "rerank": (
        "rerank",
        "rerank",
        {"query": "q", "documents": ["d", {"text": "e"}]},
        [(*U, "q", "/query"), (*U, "d", "/documents/0"), (*U, "e", "/documents/1/text")],
    ),
    "mistral": (
        "openai-chat",
        "chat",
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                        {"type": "text", "text": "So"},
                    ],
                }
            ]
        },
        [(*T, "hm", "/messages/0/content/0/thinking/0/text"), (*A, "So", "/messages/0/content/1/text")],
    ),
    "ollama": (
        "ollama",
        "chat",
        {
            "system": "Be brief.",
            "prompt": "Hi",
            "images": ["AA"],
            "messages": [
                {
                    "role": "assistant",
                    "thinking": "hm",
                    "content": "",
                    "images": ["AA"],
                    "tool_calls": [{"function": {"name": "f", "arguments": {"a": "b"}}}],
                },
                {"role": "tool", "tool_name": "f", "content": "2"},
            ],
        },
        [
            (*S, "Be brief.", "/system"),
            (*T, "hm", "/messages/0/thinking"),
            (*C, "b", "/messages/0/tool_calls/0/function/arguments/a", "f"),
            (*R, "2", "/messages/1/content", "f"),
            (*U, "Hi", "/prompt"),
        ],
    ),
    "wrapped twice": (
        "dashscope",
        "chat",
        {"input": {"messages": [{"role": "user", "content": "Hi"}]}, "parameters": {"x": "y"}},
        [(*U, "Hi", "/input/messages/0/content"), (*U, "y", "/parameters/x")],
    ),
    "counting": (
        "bedrock-converse",
        "count_tokens",
        {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}}},
        [(*U, "Hi", "/input/converse/messages/0/content/0/text")],
    ),
    "unknown": (
        "",
        "unknown",
        {"inputs": "Hi", "q": {"x": ["y"]}},
        [(*U, "Hi", "/inputs"), (*U, "y", "/q/x/0")],
    ),
    "no object": ("", "unknown", ["a", {"text": "b"}], [(*U, "a", "/0"), (*U, "b", "/1/text")]),
}


ANSWERS: dict[str, tuple[Any, list[tuple[Any, ...]]]] = {
    "openai chat": (
        {
            "model": "m",
            "choices": [
                {
                    "finish_reason": "stop",
                    "message": {
                        "role": "assistant",
                        "content": "Hi",
                        "reasoning": "hm",
                        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                    },
                }
            ],
        },
        [
            (*A, "Hi", "/choices/0/message/content"),
            (*T, "hm", "/choices/0/message/reasoning"),
            (*C, "{}", "/choices/0/message/tool_calls/0/function/arguments", "f", "c"),
        ],
    ),
    "completions": ({"choices": [{"text": "Hi"}]}, [(*A, "Hi", "/choices/0/text")]),
    "responses": (
        {
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            ],
            "text": {"format": {"type": "text"}},
            "reasoning": {"effort": "high"},
            "instructions": "Be brief.",
        },
        [
            (*T, "hm", "/output/0/summary/0/text"),
            (*A, "Hi", "/output/1/content/0/text"),
            (*C, "{}", "/output/2/arguments", "f", "c"),
        ],
    ),
    "anthropic": (
        {
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "Hi"},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"a": "b"}},
            ],
            "stop_reason": "tool_use",
        },
        [
            (*T, "hm", "/content/0/thinking", None, None, "signed thinking"),
            (*A, "Hi", "/content/1/text"),
            (*C, "b", "/content/2/input/a", "f", "c"),
        ],
    ),
    "gemini": (
        [
            {
                "candidates": [
                    {
                        "content": {
                            "role": "model",
                            "parts": [{"text": "Hi"}, {"functionCall": {"name": "f", "args": {"a": "b"}}}],
                        },
                        "finishReason": "STOP",
                    }
                ],
                "modelVersion": "g",
            }
        ],
        [
            (*A, "Hi", "/0/candidates/0/content/parts/0/text"),
            (*C, "b", "/0/candidates/0/content/parts/1/functionCall/args/a", "f"),
        ],
    ),
    "code assist": (
        {"response": {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}},
        [(*A, "Hi", "/response/candidates/0/content/parts/0/text")],
    ),
    "bedrock": (
        {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn"},
        [(*A, "Hi", "/output/message/content/0/text")],
    ),
    "titan": (
        {"results": [{"outputText": "Hi", "completionReason": "FINISH"}]},
        [(*A, "Hi", "/results/0/outputText")],
    ),
    "cohere": (
        {
            "message": {
                "role": "assistant",
                "tool_plan": "first",
                "content": [{"type": "text", "text": "Hi"}],
            },
            "finish_reason": "COMPLETE",
        },
        [(*T, "first", "/message/tool_plan"), (*A, "Hi", "/message/content/0/text")],
    ),
    "ollama": (
        {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done_reason": "stop"},
        [(*A, "Hi", "/message/content")],
    ),
    "ollama, text": ({"model": "m", "response": "Hi", "context": [1]}, [(*A, "Hi", "/response")]),
    "error": ({"error": {"type": "t", "message": "No."}}, [(*A, "No.", "/error/message")]),
}
