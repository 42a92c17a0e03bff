"""`llmitm exec` without a suite: a proxy of its own, the record, the exit code, and what of the user's it honours."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from addons.cli import suite
from addons.cli.summary import money
from intelligence.store.status import read_statuses
from tests.addons.cli.conftest import ASK, JSON, Place, chat, place_in
from tests.rig.processes import calls, process


def test_a_call_is_recorded_and_summed_up(place: Place):
    result = place.llmitm("exec", "--", *ASK, chat('[[offline: text="seen"]]'))
    assert result.returncode == 0 and "seen" in result.stdout
    (call,) = calls(place.folder)
    assert (call["provider"], call["model"], call["state"], call["text"]) == (
        "openai",
        "gpt-5.4-mini",
        "complete",
        "seen",
    )
    assert result.stderr == (
        f"llmitm: 1 call, {call['input_tokens']} tokens in, {call['output_tokens']} out, {money(call['cost_usd'])} "
        "· look at them with: llmitm up\n"
    )
    assert read_statuses(place.data_dir) == [], "nothing stays"
    assert [p for p in (place.data_dir, *place.data_dir.rglob("*")) if p.stat().st_mode & 0o077] == []


def test_exit_code_input_and_a_command_without_calls(place: Place):
    result = place.llmitm("exec", "--", "sh", "-c", "cat; exit 7", input="from stdin")
    assert (result.returncode, result.stdout) == (7, "from stdin")
    assert result.stderr == "llmitm: no LLM calls were seen. If there should be some: llmitm doctor\n"
    assert place.llmitm("exec", "--quiet", "true").stderr == ""


def test_a_command_that_is_not_there(place: Place):
    result = place.llmitm("exec", "--", "no-such-program", "--flag")
    assert (result.returncode, result.stderr) == (127, "llmitm: no-such-program: command not found\n")
    assert place.llmitm("exec").returncode == 2


def test_options_after_the_command_are_the_commands(place: Place):
    result = place.llmitm("exec", "--quiet", "echo", "--local", "--help", "--", "x")
    assert result.stdout == "--local --help -- x\n"


def test_a_running_worker_is_shared(place: Place):
    with process(place.folder, "worker", ["-m", "intelligence"], place.env) as worker:
        result = place.llmitm("exec", "--", *ASK, chat("hello"))
        assert result.returncode == 0 and "llmitm: 1 call, " in result.stderr
        assert [s.pid for s in read_statuses(place.data_dir) if s.name == "worker"] == [worker.pid]
    assert not (place.data_dir / "logs" / "drain.log").exists()


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"dev server")

    def log_message(self, *args: object) -> None:
        pass


def test_servers_of_this_machine_are_reached_directly(place: Place):
    """The proxy would refuse them."""
    place.env["LLMITM_PROXY__ALLOW_LOOPBACK"] = "[]"
    with http.server.HTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        result = place.llmitm("exec", "--", "curl", "-sS", f"http://localhost:{server.server_port}/")
        server.shutdown()
    assert result.stdout == "dev server"


def test_local_records_models_of_this_machine(tmp_path, provider):
    host, port = provider.http_address
    place = place_in(tmp_path, proxy__allow_loopback=[f"*:{port}"])
    ask = [
        "curl",
        "-sS",
        *JSON,
        f"http://{host}:{port}/api/chat",
        "-d",
        json.dumps({**json.loads(chat("hi")), "stream": False}),
    ]
    assert "llmitm: no LLM calls" in place.llmitm("exec", "--", *ask).stderr
    result = place.llmitm("exec", "--local", "--", *ask)
    assert "llmitm: 1 call" in result.stderr, result.stderr
    assert calls(place.folder)[0]["host"].startswith(host)


@contextmanager
def connect_proxy(target: tuple[str, int]) -> Iterator[tuple[str, list[bytes]]]:
    """A corporate proxy: tunnels every CONNECT to `target`. Gives its address and the heads of the requests it got."""
    heads: list[bytes] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            sink.close()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            heads.append(head)
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            server = socket.create_connection(target)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heads


def test_a_corporate_proxy_and_its_ca_are_honoured(tmp_path, provider):
    """Nothing in the configuration says so: it is all in the environment, as every other program has it."""
    place = place_in(tmp_path)
    with connect_proxy(provider.address) as (address, heads):
        env = {"HTTPS_PROXY": f"http://ann:secret@{address}", "SSL_CERT_FILE": str(provider.ca_file)}
        result = place.llmitm("exec", "--", *ASK, chat('[[offline: text="by the front door"]]'), env=env)
    assert "by the front door" in result.stdout, result.stderr
    assert "llmitm: 1 call, " in result.stderr
    assert heads[0].startswith(b"CONNECT api.openai.com:443 ") and b"Basic YW5uOnNlY3JldA==" in heads[0]


def test_a_socks_proxy_cannot_be_chained_to(place: Place):
    result = place.llmitm("exec", "true", env={"ALL_PROXY": "socks5://127.0.0.1:1080"})
    assert result.returncode == 1 and re.match(
        r"Error: the proxy of this environment, socks5://127\.0\.0\.1:1080, ", result.stderr
    )


def test_a_proxy_that_cannot_start_says_why(place: Place):
    result = place.llmitm("exec", "true", env={"LLMITM_PROXY__UPSTREAM_CA": "/nowhere.pem"})
    assert result.returncode == 1
    assert (
        result.stderr.startswith("Error: the private proxy did not start: ")
        and "/nowhere.pem" in result.stderr
    )
    assert "Traceback" not in result.stderr


def test_two_at_once_share_one_record(place: Place):
    runs = [place.start("exec", "--", *ASK, chat(f"number {n}")) for n in range(2)]
    for run in runs:
        with run:
            said = run.stdout.read()
        assert run.returncode == 0 and "llmitm: 1 call, " in said, said
    assert len(calls(place.folder)) == 2
    assert suite.running(place.data_dir).alive == {}
