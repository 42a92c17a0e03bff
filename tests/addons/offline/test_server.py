"""Serving: TLS for any host, HTTP/1.1 and HTTP/2, parallel streams, clients that leave, and a quick stop."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time

import h2.connection
import h2.errors
import h2.events
import httpx
import pytest

from addons.offline.server import running, serve

SLOW = "x [[offline: length=400 drip_ms=20]]"
STREAM = "/v1/chat/completions"


def chat(prompt: str, stream: bool = True) -> dict:
    return {"model": "m", "messages": [{"role": "user", "content": prompt}], "stream": stream}


@pytest.mark.parametrize("host", ["api.openai.com", "resource.openai.azure.com", "localhost", None])
def test_a_trusted_certificate_for_every_host(provider, trust, host):
    with socket.create_connection(provider.address) as raw:
        if host is None:  # an address: the client sends no SNI
            with trust.wrap_socket(raw, server_hostname=provider.address[0]) as tls:
                names = tls.getpeercert()["subjectAltName"]
                assert ("IP Address", "127.0.0.1") in names
        else:
            with trust.wrap_socket(raw, server_hostname=host) as tls:
                assert ("DNS", host) in tls.getpeercert()["subjectAltName"]


def test_names_given_in_advance_are_certified_without_sni():
    with running(hostnames=["llm.example.com"]) as provider:
        context = ssl.create_default_context(cafile=str(provider.ca_file))
        context.check_hostname = False
        with socket.create_connection(provider.address) as raw, context.wrap_socket(raw) as tls:
            assert ("DNS", "llm.example.com") in tls.getpeercert()["subjectAltName"]


@pytest.mark.parametrize("http2", [False, True])
def test_both_http_versions(provider, trust, http2):
    with httpx.Client(base_url=provider.url, verify=trust, http2=http2) as client:
        answer = client.post(STREAM, json=chat("version"), headers={"host": "api.openai.com"})
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert answer.text.endswith("data: [DONE]\n\n")
    seen = provider.requests[-1]
    assert (seen.method, seen.path, seen.host, seen.status) == ("POST", STREAM, "api.openai.com", 200)
    assert seen.json() == chat("version") and not seen.aborted
    assert seen.http_version == ("2" if http2 else "1.1")


async def test_thirty_streams_on_one_connection_run_in_parallel(provider, trust):
    prompt = 'x [[offline: text="one two three four five six" drip_ms=40]]'  # 7 pauses: 0.28 s
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(base_url=provider.url, verify=trust, http2=True, limits=limits) as client:
        await client.get("/warm")
        started = time.monotonic()
        answers = await asyncio.gather(*(client.post(STREAM, json=chat(f"{i} {prompt}")) for i in range(30)))
        took = time.monotonic() - started
    assert all(answer.http_version == "HTTP/2" and answer.text.endswith("[DONE]\n\n") for answer in answers)
    assert took < 3, "one after the other would be above 8 s"


async def test_large_bodies_both_ways_over_http2(provider, trust):
    filler = "word " * 100_000
    async with httpx.AsyncClient(base_url=provider.url, verify=trust, http2=True, timeout=30) as client:
        body = chat(f"{filler} [[offline: length=20000]]", stream=False)
        answer = (await client.post(STREAM, json=body)).json()
    assert len(answer["choices"][0]["message"]["content"].split()) == 20_000
    assert answer["usage"]["prompt_tokens"] > 120_000


def test_a_client_that_leaves_stops_its_answer(provider, trust):
    path = f"/leave{STREAM}"
    with (
        httpx.Client(base_url=provider.url, verify=trust) as client,
        client.stream("POST", path, json=chat(SLOW)) as answer,
    ):
        next(answer.iter_bytes())
    seen = provider.wait_for(lambda r: r.path == path and r.ended, 1)
    assert seen.aborted and seen.events < 20


@pytest.mark.parametrize("leaves", ["stream", "connection"])
def test_an_http2_client_that_leaves_stops_its_answer(provider, trust, leaves):
    """With bare h2 frames: httpx closes a stream without telling the server."""
    trust = ssl.create_default_context(cafile=str(provider.ca_file))
    trust.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(provider.address, timeout=5) as raw,
        trust.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        connection = h2.connection.H2Connection()
        connection.initiate_connection()

        def post(stream_id: int, path: str, body: dict) -> None:
            headers = {":method": "POST", ":path": path, ":scheme": "https", ":authority": "localhost"}
            connection.send_headers(stream_id, headers.items())
            connection.send_data(stream_id, json.dumps(body).encode(), end_stream=True)
            tls.sendall(connection.data_to_send())

        def read_until(kind: type, stream_id: int) -> None:
            while not any(
                isinstance(event, kind) and event.stream_id == stream_id
                for event in connection.receive_data(tls.recv(65536))
            ):
                tls.sendall(connection.data_to_send())

        path = f"/{leaves}{STREAM}"
        post(1, path, chat(SLOW))
        read_until(h2.events.DataReceived, 1)
        if leaves == "stream":
            connection.reset_stream(1, h2.errors.ErrorCodes.CANCEL)
            tls.sendall(connection.data_to_send())
            post(3, STREAM, chat("the connection lives on"))
            read_until(h2.events.StreamEnded, 3)
        else:
            tls.shutdown(socket.SHUT_RDWR)
        seen = provider.wait_for(lambda r: r.path == path and r.ended, 1)
    assert seen.aborted and seen.events < 20


@pytest.mark.parametrize("http2", [False, True])
def test_a_cut_is_no_clean_end(provider, trust, http2):
    with (
        httpx.Client(base_url=provider.url, verify=trust, http2=http2) as client,
        client.stream("POST", STREAM, json=chat("x [[offline: cut=3]]")) as answer,
    ):
        got = b""
        with pytest.raises(httpx.RemoteProtocolError):
            for part in answer.iter_bytes():
                got += part
    assert got.count(b"data: ") == 3
    assert not provider.requests[-1].aborted


def test_stops_within_a_second_whatever_is_open():
    with running() as provider:
        trust = ssl.create_default_context(cafile=str(provider.ca_file))
        half_open = socket.create_connection(provider.address)
        client = httpx.Client(base_url=provider.url, verify=trust, http2=True)
        stream = client.stream("POST", STREAM, json=chat(SLOW))
        next(stream.__enter__().iter_bytes())
        ca_file = provider.ca_file
        started = time.monotonic()
    assert time.monotonic() - started < 1
    assert not ca_file.exists()
    half_open.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(provider.http_url)
    client.close()


def test_a_taken_port_is_told():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        running(port=taken.getsockname()[1]),
    ):
        pass


async def test_serve_without_tls():
    async with serve(tls=False) as provider:
        assert provider.address == provider.http_address and provider.ca_file is None
        async with httpx.AsyncClient(base_url=provider.url) as client:
            assert (await client.get("/api/tags")).json()["models"]


def test_two_runs_give_the_same_answers():
    def answers() -> list:
        with running(tls=False) as provider, httpx.Client(base_url=provider.url) as client:
            messages = [{"role": "user", "content": "use tool f"}]
            schema = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
            bodies = [
                ("/v1/chat/completions", chat("tell me", stream=False)),
                ("/v1/responses", {"model": "m", "input": "tell me"}),
                ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": messages, "tools": [schema]}),
            ]
            return [client.post(path, json=body).json() for path, body in bodies]

    first, second = answers(), answers()
    for answer in first + second:
        answer.pop("created", answer.pop("created_at", None))
    assert json.dumps(first) == json.dumps(second)
