// Node's `openai` SDK as anyone uses it: nothing but environment variables says where calls go. Protocol: tests/e2e/clients.py.
import OpenAI from "openai"
import { readFileSync } from "node:fs"

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
const CHAT_TOOLS = [{ type: "function", function: { name: "get_weather", parameters } }]
const TOOLS = [{ type: "function", name: "get_weather", parameters }]
const RESULT = "14 degrees"

async function chat(ask, sdk) {
  const messages = [{ role: "user", content: ask.prompt }]
  const seen = []
  while (true) {
    const body = { model: ask.model, messages, ...(ask.tool ? { tools: CHAT_TOOLS } : {}) }
    let answer
    if (ask.stream) {
      const stream = sdk.chat.completions.stream({ ...body, stream_options: { include_usage: true } })
      if (ask.leave_after) return [await leaveChat(stream, ask.leave_after)]
      answer = await stream.finalChatCompletion()
    } else {
      answer = await sdk.chat.completions.create(body)
    }
    const { message, finish_reason } = answer.choices[0]
    seen.push({
      model: answer.model,
      finish_reason,
      input_tokens: answer.usage.prompt_tokens,
      output_tokens: answer.usage.completion_tokens,
      cache_read_tokens: answer.usage.prompt_tokens_details.cached_tokens,
      text: message.content ?? "",
      tool_calls: (message.tool_calls ?? []).map(call => call.function.name),
    })
    if (!message.tool_calls?.length) return seen
    const tool_calls = message.tool_calls.map(({ id, function: { name, arguments: given } }) =>
      ({ id, type: "function", function: { name, arguments: given } }))
    messages.push({ role: "assistant", tool_calls })
    for (const call of tool_calls) messages.push({ role: "tool", tool_call_id: call.id, content: RESULT })
  }
}

async function leaveChat(stream, pieces) {
  let text = ""
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta.content
    if (!piece) continue
    text += piece
    if (--pieces === 0) break // ends the request
  }
  return { left: true, text }
}

async function responses(ask, sdk) {
  let input = ask.prompt
  let previous_response_id
  const seen = []
  while (true) {
    const body = { model: ask.model, input, previous_response_id, ...(ask.tool ? { tools: TOOLS } : {}) }
    const answer = ask.stream ? await sdk.responses.stream(body).finalResponse() : await sdk.responses.create(body)
    const calls = answer.output.filter(item => item.type === "function_call")
    seen.push({
      model: answer.model,
      finish_reason: answer.status,
      input_tokens: answer.usage.input_tokens,
      output_tokens: answer.usage.output_tokens,
      text: answer.output_text,
      tool_calls: calls.map(call => call.name),
    })
    if (!calls.length) return seen
    previous_response_id = answer.id
    input = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: RESULT }))
  }
}

async function embeddings(ask, sdk) {
  const answer = await sdk.embeddings.create({ model: ask.model, input: ask.prompt })
  return [{ model: answer.model, input_tokens: answer.usage.prompt_tokens, text: "", tool_calls: [] }]
}

const apis = { chat, responses, embeddings }
for (const [number, ask] of JSON.parse(readFileSync(0, "utf8")).entries()) {
  let seen
  try {
    seen = await apis[ask.api](ask, new OpenAI({ maxRetries: ask.retries }))
  } catch (error) {
    seen = [error.status ? { status: error.status, retry_after: error.headers?.get("retry-after") } : { broken: String(error) }]
  }
  for (const one of seen) console.log(JSON.stringify({ ask: number, ...one }))
}
