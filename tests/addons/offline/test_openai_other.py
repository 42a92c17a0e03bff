"""Embeddings and models, with the OpenAI SDK on the other side."""

from __future__ import annotations

import ssl

import openai
import pytest

from addons.offline.openai_other import embedding_texts


@pytest.fixture
def client(provider, trust: ssl.SSLContext):
    with openai.DefaultHttpxClient(verify=trust) as http:
        yield openai.OpenAI(api_key="sk-test", base_url=f"{provider.url}/v1", http_client=http, max_retries=0)


def test_embeddings_in_both_encodings(client):
    texts = ["red", "green", "red"]
    packed = client.embeddings.create(model="text-embedding-3-small", input=texts)
    plain = client.embeddings.create(model="text-embedding-3-small", input=texts, encoding_format="float")
    red, green, again = (item.embedding for item in packed.data)
    assert len(red) == 1536 and red == again != green
    assert red == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert sum(x * x for x in red) == pytest.approx(1, abs=1e-4)
    assert packed.usage.prompt_tokens == packed.usage.total_tokens == 4


def test_dimensions_and_token_ids(client):
    packed = client.embeddings.create(model="m", input=[[1, 2], [3]], dimensions=8)
    assert [len(item.embedding) for item in packed.data] == [8, 8]
    assert embedding_texts({"input": [1, 2]}) == ["[1,2]"]


def test_embedding_fault(client):
    with pytest.raises(openai.RateLimitError):
        client.embeddings.create(model="m", input=["fine", "[[offline: status=429]]"])


def test_models(client):
    assert "gpt-4o-mini" in [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-4o-mini").owned_by == "offline"
