from tests.intelligence.wire.answers import read, sse, tokens, tools


def dash(text, reason="null", **more):
    return {
        "output": {"choices": [{"message": {"content": text}, "finish_reason": reason}]},
        "usage": {"input_tokens": 4, "output_tokens": 2},
    } | more


def test_dashscope_repeats_the_text_or_does_not():
    assert read("dashscope", sse(dash("He"), dash("Hell"), dash("Hello", "stop"))).text == "Hello"
    answer = read("dashscope", sse(dash("He"), dash("ll"), dash("o", "stop")))
    assert (answer.text, answer.finish_reason, answer.terminal) == ("Hello", "stop", True)
    assert tokens(answer)[:2] == (4, 2)
    assert read("dashscope", {"output": {"text": "Hi", "finish_reason": "stop"}}).text == "Hi"
    assert read("dashscope", {"code": "InvalidApiKey", "message": "No."}, status=401).error_message == "No."


def test_cloudflare():
    result = {
        "response": "Hi",
        "usage": {"prompt_tokens": 3},
        "tool_calls": [{"name": "f", "arguments": {"a": 1}}],
    }
    answer = read("cloudflare", {"result": result, "success": True, "errors": []})
    assert (answer.text, answer.input_tokens, tools(answer)) == ("Hi", 3, [(None, "f", '{"a":1}')])
    answer = read(
        "cloudflare", sse({"response": "H"}, {"response": "i", "usage": {"prompt_tokens": 3}}, done=True)
    )
    assert (answer.text, answer.terminal) == ("Hi", True)
    refused = {"errors": [{"message": "No.", "code": 5007}], "success": False, "result": {}}
    assert read("cloudflare", refused, status=400).error_message == "No."


def test_replicate():
    body = {"model": "m", "status": "succeeded", "output": ["H", "i"], "metrics": {"input_token_count": 3}}
    answer = read("replicate", body)
    assert (answer.text, answer.model, answer.finish_reason, answer.input_tokens) == (
        "Hi",
        "m",
        "succeeded",
        3,
    )
    assert read("replicate", {"detail": "No."}, status=422).error_message == "No."


def test_hugging_face():
    answer = read(
        "hugging-face",
        [{"generated_text": "Hi", "details": {"finish_reason": "length", "generated_tokens": 2}}],
    )
    assert (answer.text, answer.finish_reason, answer.output_tokens) == ("Hi", "length", 2)
    events = [
        {"token": {"text": "H"}},
        {"token": {"text": "i"}},
        {"token": {"text": "</s>", "special": True}, "generated_text": "Hi"},
    ]
    answer = read("hugging-face", sse(*events))
    assert (answer.text, answer.terminal) == ("Hi", True)


def test_llama_cpp():
    events = [
        {"content": "H", "stop": False},
        {"content": "i", "stop": True, "stop_type": "eos", "tokens_evaluated": 4},
    ]
    answer = read("llama-cpp", sse(*events))
    assert (answer.text, answer.finish_reason, answer.input_tokens, answer.terminal) == ("Hi", "eos", 4, True)
