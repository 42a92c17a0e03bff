"""Does each language runtime of this machine, with the variables of `llmitm exec`, use the proxy and trust our CA?

Every check makes one real call: the runtime's own HTTP client asks the offline provider, under OpenAI's name, for a word. Only
the proxy leads there, so the word in the answer proves both.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from addons.cli.checks import Check

URL = "https://api.openai.com/v1/chat/completions"
WORD = "trusted-by-all"
BODY = json.dumps(
    {"model": "gpt-5-mini", "messages": [{"role": "user", "content": f'[[offline: text="{WORD}"]] doctor'}]}
)

_PYTHON = f"""
import urllib.request
request = urllib.request.Request({URL!r}, {BODY!r}.encode(), {{"content-type": "application/json"}})
print(urllib.request.urlopen(request, timeout=20).read().decode())
"""

_NODE_FETCH = f"""
fetch({json.dumps(URL)}, {{method: "POST", headers: {{"content-type": "application/json"}}, body: {json.dumps(BODY)}}})
  .then(answer => answer.text()).then(console.log)
  .catch(error => {{ console.error(String(error.cause || error)); process.exit(1) }})
"""

_GO = f"""
package main

import ("fmt"; "io"; "net/http"; "os"; "strings")

func main() {{
	answer, err := http.Post({json.dumps(URL)}, "application/json", strings.NewReader({json.dumps(BODY)}))
	if err != nil {{ fmt.Fprintln(os.Stderr, err); os.Exit(1) }}
	io.Copy(os.Stdout, answer.Body)
}}
"""


def check_runtimes(env: Mapping[str, str]) -> Iterator[Check]:
    """A check for each runtime; `env` has the client variables in it."""
    yield _check_python(env)
    yield _check_node(env)
    yield _check_curl(env)
    yield _check_go(env)


def _check_python(env: Mapping[str, str]) -> Check:
    python = shutil.which("python3", path=env.get("PATH")) or sys.executable
    problem = _problem([python, "-I", "-c", _PYTHON], env)
    return _verdict("Python", python, problem, "SSL_CERT_FILE")


def _check_node(env: Mapping[str, str]) -> Check:
    node = shutil.which("node", path=env.get("PATH"))
    if node is None:
        return Check("Node", "skipped", "not found")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    problem = _problem([node, "-e", _NODE_FETCH], env)
    return _verdict(f"Node {version}", node, problem, "NODE_EXTRA_CA_CERTS")


def _check_curl(env: Mapping[str, str]) -> Check:
    curl = shutil.which("curl", path=env.get("PATH"))
    if curl is None:
        return Check("curl", "skipped", "not found")
    arguments = ["-q", "-sS", "-m", "20", "-H", "content-type: application/json", "-d", BODY, URL]
    return _verdict("curl", curl, _problem([curl, *arguments], env), "CURL_CA_BUNDLE")


def _check_go(env: Mapping[str, str]) -> Check:
    go = shutil.which("go", path=env.get("PATH"))
    if go is None:
        return Check("Go", "skipped", "not found")
    with tempfile.TemporaryDirectory(prefix="llmitm-doctor-") as folder:
        source = Path(folder) / "main.go"
        source.write_text(_GO)
        problem = _problem([go, "run", str(source)], {**env, "GO111MODULE": "off"}, seconds=120)
    if problem and sys.platform in ("darwin", "win32"):
        return Check(
            "Go",
            "broken",
            problem,
            "Go programs ask this system's own trust store: run `llmitm trust install`",
        )
    return _verdict("Go", go, problem, "SSL_CERT_FILE")


def _problem(command: list[str], env: Mapping[str, str], seconds: float = 30) -> str | None:
    """None when the word came back, else what went wrong, in one line."""
    try:
        done = subprocess.run(
            command,
            env=dict(env),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {seconds:.0f} s"
    except OSError as e:
        return str(e)
    if WORD in done.stdout:
        return None
    said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
    return said[-1][:300]


def _verdict(name: str, program: str, problem: str | None, variable: str) -> Check:
    if problem is None:
        return Check(name, "ok", f"{program} goes through the proxy and trusts the CA")
    if re.search(r"certificate|CERT|self.signed|unknown authority", problem):
        fix = f"this runtime does not take {variable}; see the client table in the README, or `llmitm trust install`"
    else:
        fix = "see docs/troubleshooting.md, under this runtime's name"
    return Check(name, "broken", f"{program}: {problem}", fix)
