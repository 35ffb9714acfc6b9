/** A request in Anthropic's messages, as call options for any model. */
import type { LanguageModelV4CallOptions, LanguageModelV4FilePart, LanguageModelV4Message, LanguageModelV4ToolChoice } from '@ai-sdk/provider'
import type { FaceCall } from '../face-call.ts'
import { refuse } from '../request-body.ts'
import { type AssistantPart, type Fields, type ToolResultPart, type UserPart, fieldsOf, fileOf, joined, listOf, textOf, unknownPart } from './content.ts'
import { unseal } from './seal.ts'
import { effortOf, functionTool, jsonFormat, oneCallOnly, refuseOwn, sampling } from './settings.ts'

const own = { mcp_servers: 'Call them yourself, and offer their tools.', container: 'Leave it out.' }

export function fromMessages({ body: { fields }, outputTokensMax }: FaceCall, model: string): LanguageModelV4CallOptions {
  refuseOwn(fields, own, model)
  const names = new Map<string, string>()
  const system = fields['system'] === undefined ? '' : systemText(fields['system'])
  const messages = listOf(fields['messages'], 'messages').flatMap((message, i) => toMessages(fieldsOf(message, `messages.${i}`), `messages.${i}`, model, names))
  const output = fields['output_config'] === undefined ? {} : fieldsOf(fields['output_config'], 'output_config')
  return {
    prompt: joined([...(system === '' ? [] : [{ role: 'system' as const, content: system }]), ...messages]),
    ...sampling(fields, fields['stop_sequences']),
    ...(outputTokensMax === undefined ? {} : { maxOutputTokens: outputTokensMax }),
    ...toolsOf(fields, model),
    ...formatOf(output['format'] ?? fields['output_format']),
    ...(output['effort'] === undefined ? thinkingOf(fields['thinking']) : effortOf(output['effort'])),
  }
}

function systemText(system: unknown): string {
  if (typeof system === 'string') return system
  return listOf(system, 'system')
    .map((block, i) => textOf(fieldsOf(block, `system.${i}`)['text'], `system.${i}.text`))
    .join('\n\n')
}

function toMessages(message: Fields, where: string, model: string, names: Map<string, string>): LanguageModelV4Message[] {
  const { role, content } = message
  if (role !== 'user' && role !== 'assistant' && role !== 'system') throw refuse('bad_request', `${where}.role: must be user or assistant.`)
  if (role === 'system') return [{ role, content: typeof content === 'string' ? content : systemText(content) }]
  const blocks =
    typeof content === 'string'
      ? [{ type: 'text', text: content }]
      : listOf(content, `${where}.content`).map((block, i) => fieldsOf(block, `${where}.content.${i}`))
  if (role === 'assistant') return [{ role, content: blocks.flatMap((block, i) => assistantParts(block, `${where}.content.${i}`, model, names)) }]
  // Results of calls are the user's here, and messages of their own elsewhere; they come first.
  const results = blocks.flatMap((block, i) => (block['type'] === 'tool_result' ? [toResult(block, `${where}.content.${i}`, model, names)] : []))
  const rest = blocks.flatMap((block, i) => (block['type'] === 'tool_result' ? [] : userParts(block, `${where}.content.${i}`, model)))
  return [
    { role: 'tool', content: results },
    { role: 'user', content: rest },
  ]
}

function userParts(block: Fields, where: string, model: string): UserPart[] {
  switch (block['type']) {
    case 'text': {
      const text = textOf(block['text'], `${where}.text`)
      return text === '' ? [] : [{ type: 'text', text }]
    }
    case 'image':
      return [sourceOf(block, 'image/*', where, model)]
    case 'document':
      return [sourceOf(block, 'application/pdf', where, model)]
    default:
      throw unknownPart(where, block['type'], model)
  }
}

function sourceOf(block: Fields, mediaType: string, where: string, model: string): LanguageModelV4FilePart {
  const source = fieldsOf(block['source'], `${where}.source`)
  switch (source['type']) {
    case 'base64':
      return {
        type: 'file',
        mediaType: textOf(source['media_type'], `${where}.source.media_type`),
        data: { type: 'data', data: textOf(source['data'], `${where}.source.data`) },
      }
    case 'url':
      return fileOf(source['url'], mediaType, `${where}.source.url`)
    case 'text':
      return { type: 'file', mediaType: 'text/plain', data: { type: 'text', text: textOf(source['data'], `${where}.source.data`) } }
    default:
      throw unknownPart(`${where}.source`, source['type'], model)
  }
}

function assistantParts(block: Fields, where: string, model: string, names: Map<string, string>): AssistantPart[] {
  switch (block['type']) {
    case 'text': {
      const text = textOf(block['text'], `${where}.text`)
      return text === '' ? [] : [{ type: 'text', text }]
    }
    case 'tool_use': {
      const toolCallId = textOf(block['id'], `${where}.id`)
      const toolName = textOf(block['name'], `${where}.name`)
      names.set(toolCallId, toolName)
      return [{ type: 'tool-call', toolCallId, toolName, input: block['input'] ?? {} }]
    }
    case 'thinking': {
      const providerOptions = unseal(model, block['signature'])
      return providerOptions ? [{ type: 'reasoning', text: textOf(block['thinking'], `${where}.thinking`), providerOptions }] : []
    }
    case 'redacted_thinking':
      return [] // Of another model: nobody else can read it.
    default:
      throw unknownPart(where, block['type'], model)
  }
}

function toResult(block: Fields, where: string, model: string, names: Map<string, string>): ToolResultPart {
  const toolCallId = textOf(block['tool_use_id'], `${where}.tool_use_id`)
  const toolName = names.get(toolCallId)
  if (toolName === undefined) throw refuse('bad_request', `${where}.tool_use_id: no message before it has a call ${JSON.stringify(toolCallId.slice(0, 64))}.`)
  const { content } = block
  const isError = block['is_error'] === true
  const output = (value: string): ToolResultPart['output'] => ({ type: isError ? 'error-text' : 'text', value })
  if (content === undefined || typeof content === 'string') return { type: 'tool-result', toolCallId, toolName, output: output(content ?? '') }
  const parts = listOf(content, `${where}.content`).flatMap((part, i) => userParts(fieldsOf(part, `${where}.content.${i}`), `${where}.content.${i}`, model))
  const isText = parts.every((part) => part.type === 'text')
  if (isText) return { type: 'tool-result', toolCallId, toolName, output: output(parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n')) }
  return { type: 'tool-result', toolCallId, toolName, output: { type: 'content', value: parts } }
}

function toolsOf(fields: Fields, model: string): Pick<LanguageModelV4CallOptions, 'tools' | 'toolChoice' | 'providerOptions'> {
  if (fields['tools'] === undefined) return {}
  const tools = listOf(fields['tools'], 'tools').map((each, i) => {
    const tool = fieldsOf(each, `tools.${i}`)
    if (tool['type'] !== undefined && tool['type'] !== 'custom')
      throw refuse('unsupported', `tools.${i}: ${String(tool['type']).slice(0, 64)} is a tool of Anthropic’s own and cannot be carried over.`)
    return functionTool(tool, tool['input_schema'], `tools.${i}`)
  })
  const choice = fields['tool_choice'] === undefined ? undefined : fieldsOf(fields['tool_choice'], 'tool_choice')
  return {
    ...(tools.length > 0 ? { tools } : {}),
    ...(choice ? { toolChoice: choiceOf(choice) } : {}),
    ...(tools.length > 0 && choice?.['disable_parallel_tool_use'] === true ? oneCallOnly(model) : {}),
  }
}

function choiceOf(choice: Fields): LanguageModelV4ToolChoice {
  switch (choice['type']) {
    case 'any':
      return { type: 'required' }
    case 'none':
      return { type: 'none' }
    case 'tool':
      return { type: 'tool', toolName: textOf(choice['name'], 'tool_choice.name') }
    default:
      return { type: 'auto' }
  }
}

function formatOf(format: unknown): Pick<LanguageModelV4CallOptions, 'responseFormat'> {
  return format === undefined || format === null ? {} : jsonFormat(fieldsOf(format, 'output_config.format'), 'output_config.format')
}

/** A number of tokens here, a word elsewhere. */
function thinkingOf(thinking: unknown): Pick<LanguageModelV4CallOptions, 'reasoning'> {
  if (thinking === undefined) return {}
  const { type, budget_tokens: tokens } = fieldsOf(thinking, 'thinking')
  if (type === 'disabled') return {}
  return { reasoning: typeof tokens !== 'number' ? 'medium' : tokens < 4_000 ? 'low' : tokens < 16_000 ? 'medium' : 'high' }
}
