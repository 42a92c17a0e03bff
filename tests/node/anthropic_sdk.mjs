// Node's `@anthropic-ai/sdk` as anyone uses it: nothing but environment variables says where calls go. Protocol:
// tests/e2e/clients.py.
import Anthropic from "@anthropic-ai/sdk"
import { readFileSync } from "node:fs"

const input_schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
const tools = [{ name: "get_weather", input_schema }]

async function messages(ask, sdk) {
  const turns = [{ role: "user", content: ask.prompt }]
  const seen = []
  while (true) {
    const body = { model: ask.model, max_tokens: 2000, messages: turns, ...(ask.tool ? { tools } : {}) }
    let answer
    if (ask.stream) {
      const stream = sdk.messages.stream(body)
      if (ask.leave_after) return [await leave(stream, ask.leave_after)]
      answer = await stream.finalMessage()
    } else {
      answer = await sdk.messages.create(body)
    }
    const { usage, content } = answer
    const calls = content.filter(block => block.type === "tool_use")
    seen.push({
      model: answer.model,
      finish_reason: answer.stop_reason,
      input_tokens: usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
      output_tokens: usage.output_tokens,
      text: content.filter(block => block.type === "text").map(block => block.text).join(""),
      tool_calls: calls.map(call => call.name),
    })
    if (!calls.length) return seen
    turns.push({ role: "assistant", content })
    turns.push({ role: "user", content: calls.map(({ id }) =>
      ({ type: "tool_result", tool_use_id: id, content: "14 degrees" })) })
  }
}

async function leave(stream, pieces) {
  let text = ""
  for await (const event of stream) {
    if (event.type !== "content_block_delta" || event.delta.type !== "text_delta") continue
    text += event.delta.text
    if (--pieces === 0) break // ends the request
  }
  return { left: true, text }
}

for (const [number, ask] of JSON.parse(readFileSync(0, "utf8")).entries()) {
  let seen
  try {
    seen = await messages(ask, new Anthropic({ maxRetries: ask.retries }))
  } catch (error) {
    seen = [error.status ? { status: error.status, retry_after: error.headers?.get("retry-after") } : { broken: String(error) }]
  }
  for (const one of seen) console.log(JSON.stringify({ ask: number, ...one }))
}
