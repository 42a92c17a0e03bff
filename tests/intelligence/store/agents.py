"""Agent sessions made up for tests: what clients would send and be answered, and which session each request is of.

Sessions share system prompts and first turns, run at the same time, and bear no ids but those of their tool calls. A request
that goes wrong is sent again, a question is asked anew in other words, a long history is replaced by its summary, and a task
is given to sub-agents that run beside one another. Anthropic's `cache_control` moves with the last message, which is then a
list of one block, and a string on the next turn.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

WORDS = "index table parser queue socket retry buffer frame token cursor schema worker lock cache merge branch".split()
SYSTEMS = ["You are a coding agent. Working directory: /home/me/project", "You answer briefly.", ""]
FIRST = ["hi", "Fix the failing test", "What does this repository do?", "Continue"]
COMMON = ["Hello! How can I help you today?", "Sure."]


@dataclass
class Request:
    """`session` is the truth; `answer` is None when it fails."""

    session: int
    link: str
    format: str
    body: bytes
    text: str = ""
    calls: list = field(default_factory=list)
    failed: bool = False


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words)) + f" {rng.randrange(10**6)}."


class Agent:
    def __init__(self, rng: random.Random, session: int, first: str, system: str, format: str, turns: int):
        self.rng, self.session, self.format, self.system, self.turns = rng, session, format, system, turns
        self.messages: list[dict] = [{"role": "user", "content": first}]
        self.call_number = 0

    def run(self) -> Iterator[Request]:
        rng = self.rng
        link = "subagent" if self.system.startswith("Sub") else "start"
        for n in range(self.turns):
            if rng.random() < 0.06:
                yield self.request(link, failed=True)
                link = "retry"
            tasks = [sentence(rng, 8) for _ in range(rng.randrange(2, 4))] if rng.random() < 0.06 else []
            calls = self.calls(tasks)
            text = (
                rng.choice(COMMON) if n == 0 and rng.random() < 0.3 else sentence(rng, rng.randrange(3, 30))
            )
            text = "" if calls and rng.random() < 0.5 else text
            before = len(self.messages)
            yield self.request(link, text, calls)
            self.messages.append(self.answer(text, calls))
            self.messages += self.results(calls) or [{"role": "user", "content": self.question()}]
            link = "continue"
            if not calls and n and rng.random() < 0.06:
                yield self.request("continue", sentence(rng, 9), [])
                self.messages = self.messages[: before + 1]
                self.messages.append({"role": "user", "content": sentence(rng, 6)})
                link = "edit"
            elif n > 2 and link == "continue" and rng.random() < 0.06:
                summary = sentence(rng, 40)
                self.messages.append({"role": "user", "content": "Summarise what was done so far."})
                yield self.request("continue", summary, [])
                said = f"This session goes on from an earlier one:\n{summary}"
                self.messages = [{"role": "user", "content": said}]
                link = "compaction"

    def question(self) -> str:
        return self.rng.choice(["go on", "yes", sentence(self.rng, 5)])

    def calls(self, tasks: list[str]) -> list[dict]:
        if not tasks and self.rng.random() < 0.4:
            return []
        wanted = [("Task", {"prompt": task}) for task in tasks] or [("Bash", {"command": "ls"})]
        made = []
        for name, arguments in wanted:
            id_ = f"call_{self.rng.getrandbits(64):x}"
            made.append({"id": id_, "name": name, "arguments": json.dumps(arguments)})
        return made

    def answer(self, text: str, calls: list[dict]) -> dict:
        if self.format == "anthropic-messages":
            blocks = [{"type": "text", "text": text}] if text else []
            blocks += [
                {"type": "tool_use", "id": c["id"], "name": c["name"], "input": json.loads(c["arguments"])}
                for c in calls
            ]
            return {"role": "assistant", "content": blocks}
        message = {"role": "assistant", "content": text or None}
        if calls:
            message["tool_calls"] = [
                {
                    "id": c["id"],
                    "type": "function",
                    "function": {"name": c["name"], "arguments": c["arguments"]},
                }
                for c in calls
            ]
        return message

    def results(self, calls: list[dict]) -> list[dict]:
        results = [
            (c["id"], "README.md  src" if c["name"] == "Bash" else sentence(self.rng, 9)) for c in calls
        ]
        if self.format == "anthropic-messages":
            blocks = [{"type": "tool_result", "tool_use_id": i, "content": text} for i, text in results]
            return [{"role": "user", "content": blocks}] if blocks else []
        return [{"role": "tool", "tool_call_id": i, "content": text} for i, text in results]

    def request(
        self, link: str, text: str = "", calls: list[dict] | None = None, failed: bool = False
    ) -> Request:
        messages = json.loads(json.dumps(self.messages))
        body: dict = {"model": "m", "max_tokens": 100, "stream": True}
        if self.format == "anthropic-messages":
            mark = {"cache_control": {"type": "ephemeral"}}
            last = messages[-1]
            if isinstance(last["content"], str):
                last["content"] = [{"type": "text", "text": last["content"]} | mark]
            else:
                last["content"][-1] |= mark
            if self.system:
                body["system"] = [{"type": "text", "text": self.system} | mark]
        elif self.system:
            messages.insert(0, {"role": "system", "content": self.system})
        body["messages"] = messages
        return Request(self.session, link, self.format, json.dumps(body).encode(), text, calls or [], failed)


def sessions(count: int, seed: int) -> Iterator[tuple[bool, int, Request]]:
    """(asked or answered, number of the request, request), as it goes on over time. `count` leaves sub-agents out."""
    rng = random.Random(seed)
    made = 0
    running: list[tuple[Agent, Iterator[Request]]] = []
    waiting: list[tuple[int, Request, Agent]] = []  # for an answer
    children: dict[Agent, list[Agent]] = {}
    numbers = 0

    def begin(first: str, system: str, format: str, turns: int) -> Agent:
        nonlocal made
        made += 1
        agent = Agent(rng, made, first, system, format, turns)
        running.append((agent, agent.run()))
        return agent

    begun = 0
    while begun < count or running or waiting:
        if begun < count and len(running) < 12 and rng.random() < 0.4:
            begun += 1
            format = rng.choice(["anthropic-messages", "openai-chat"])
            begin(rng.choice(FIRST), rng.choice(SYSTEMS), format, rng.randrange(1, 12))
        if running and rng.random() < 0.6:
            agent, requests = running[rng.randrange(len(running))]
            busy = {one for *_, one in waiting} | {one for one, _ in running}
            if any(one is agent for *_, one in waiting) or busy.intersection(children.get(agent, [])):
                continue
            request = next(requests, None)
            if request is None:
                running.remove((agent, requests))
            else:
                numbers += 1
                yield True, numbers, request
                waiting.append((numbers, request, agent))
        elif waiting:
            number, request, agent = waiting.pop(rng.randrange(len(waiting)))
            yield False, number, request
            children[agent] = [
                begin(
                    json.loads(call["arguments"])["prompt"],
                    "Sub-agent: do the task.",
                    agent.format,
                    rng.randrange(1, 4),
                )
                for call in request.calls
                if call["name"] == "Task"
            ]
