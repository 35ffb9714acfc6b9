/** A request in OpenAI's chat completions, as call options for any model. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message, LanguageModelV4ToolChoice } from '@ai-sdk/provider'
import type { FaceCall } from '../face-call.ts'
import { refuse } from '../request-body.ts'
import { type AssistantPart, type Fields, type UserPart, fieldsOf, fileOf, inputOf, joined, listOf, numberOf, textOf, unknownPart } from './content.ts'
import { effortOf, functionTool, jsonFormat, oneCallOnly, refuseOwn, sampling } from './settings.ts'

const own = {
  functions: 'Send them as tools.',
  function_call: 'Send tool_choice.',
  audio: 'Ask for a text.',
  web_search_options: 'Offer a tool that searches.',
}

export function fromChat({ body: { fields }, outputTokensMax }: FaceCall, model: string): LanguageModelV4CallOptions {
  const n = numberOf(fields['n'], 'n')
  if (n !== undefined && n !== 1) throw refuse('unsupported', `n: ${model} gives one answer at a time in this form. Ask ${n} times.`)
  if (fields['logprobs'] === true) throw refuse('unsupported', `logprobs: ${model} does not give them in this form.`)
  refuseOwn(fields, own, model)
  const names = new Map<string, string>()
  const messages = listOf(fields['messages'], 'messages').map((message, i) => toMessage(fieldsOf(message, `messages.${i}`), `messages.${i}`, model, names))
  return {
    prompt: joined(messages),
    ...sampling(fields, fields['stop']),
    ...(outputTokensMax === undefined ? {} : { maxOutputTokens: outputTokensMax }),
    ...toolsOf(fields, model),
    ...formatOf(fields['response_format']),
    ...effortOf(fields['reasoning_effort']),
  }
}

function toMessage(message: Fields, where: string, model: string, names: Map<string, string>): LanguageModelV4Message {
  const { role, content } = message
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: plainText(content, `${where}.content`) }
    case 'user':
      return {
        role: 'user',
        content: typeof content === 'string' ? (content === '' ? [] : [{ type: 'text', text: content }]) : userParts(content, `${where}.content`, model),
      }
    case 'assistant':
      return { role: 'assistant', content: assistantParts(message, where, names) }
    case 'tool': {
      const toolCallId = textOf(message['tool_call_id'], `${where}.tool_call_id`)
      const toolName = names.get(toolCallId)
      if (toolName === undefined)
        throw refuse('bad_request', `${where}.tool_call_id: no message before it has a call ${JSON.stringify(toolCallId.slice(0, 64))}.`)
      return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'text', value: plainText(content, `${where}.content`) } }] }
    }
    default:
      throw refuse('bad_request', `${where}.role: must be system, developer, user, assistant or tool.`)
  }
}

function plainText(content: unknown, where: string): string {
  if (typeof content === 'string') return content
  return listOf(content, where)
    .map((part, i) => textOf(fieldsOf(part, `${where}.${i}`)['text'], `${where}.${i}.text`))
    .join('')
}

function userParts(content: unknown, where: string, model: string): UserPart[] {
  return listOf(content, where).flatMap((each, i): UserPart[] => {
    const at = `${where}.${i}`
    const part = fieldsOf(each, at)
    switch (part['type']) {
      case 'text': {
        const text = textOf(part['text'], `${at}.text`)
        return text === '' ? [] : [{ type: 'text', text }]
      }
      case 'image_url':
        return [fileOf(fieldsOf(part['image_url'], `${at}.image_url`)['url'], 'image/*', `${at}.image_url.url`)]
      case 'input_audio': {
        const audio = fieldsOf(part['input_audio'], `${at}.input_audio`)
        const data = textOf(audio['data'], `${at}.input_audio.data`)
        return [{ type: 'file', mediaType: audio['format'] === 'mp3' ? 'audio/mpeg' : 'audio/wav', data: { type: 'data', data } }]
      }
      case 'file': {
        const file = fieldsOf(part['file'], `${at}.file`)
        if (file['file_data'] === undefined) throw unknownPart(at, 'file by id', model)
        const filename = typeof file['filename'] === 'string' ? { filename: file['filename'] } : {}
        return [{ ...fileOf(file['file_data'], 'application/pdf', `${at}.file.file_data`), ...filename }]
      }
      default:
        throw unknownPart(at, part['type'], model)
    }
  })
}

function assistantParts(message: Fields, where: string, names: Map<string, string>): AssistantPart[] {
  const { content } = message
  const text = content === undefined || content === null ? '' : plainText(content, `${where}.content`)
  const calls = message['tool_calls'] === undefined || message['tool_calls'] === null ? [] : listOf(message['tool_calls'], `${where}.tool_calls`)
  return [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...calls.map((each, i): AssistantPart => {
      const at = `${where}.tool_calls.${i}`
      const call = fieldsOf(each, at)
      const named = fieldsOf(call['function'], `${at}.function`)
      const toolCallId = textOf(call['id'], `${at}.id`)
      const toolName = textOf(named['name'], `${at}.function.name`)
      names.set(toolCallId, toolName)
      return { type: 'tool-call', toolCallId, toolName, input: inputOf(named['arguments']) }
    }),
  ]
}

function toolsOf(fields: Fields, model: string): Pick<LanguageModelV4CallOptions, 'tools' | 'toolChoice' | 'providerOptions'> {
  if (fields['tools'] === undefined || fields['tools'] === null) return {}
  const tools = listOf(fields['tools'], 'tools').map((each, i) => {
    const tool = fieldsOf(each, `tools.${i}`)
    if (tool['type'] !== 'function') throw refuse('unsupported', `tools.${i}: only tools of type "function" can be carried over.`)
    const named = fieldsOf(tool['function'], `tools.${i}.function`)
    return functionTool(named, named['parameters'], `tools.${i}.function`)
  })
  const choice = fields['tool_choice']
  return {
    ...(tools.length > 0 ? { tools } : {}),
    ...(choice === undefined || choice === null ? {} : { toolChoice: choiceOf(choice) }),
    ...(tools.length > 0 && fields['parallel_tool_calls'] === false ? oneCallOnly(model) : {}),
  }
}

function choiceOf(choice: unknown): LanguageModelV4ToolChoice {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice }
  const named = fieldsOf(fieldsOf(choice, 'tool_choice')['function'], 'tool_choice.function')
  return { type: 'tool', toolName: textOf(named['name'], 'tool_choice.function.name') }
}

function formatOf(format: unknown): Pick<LanguageModelV4CallOptions, 'responseFormat'> {
  if (format === undefined || format === null) return {}
  const fields = fieldsOf(format, 'response_format')
  if (fields['type'] === 'json_schema') return jsonFormat(fieldsOf(fields['json_schema'], 'response_format.json_schema'), 'response_format.json_schema')
  return fields['type'] === 'json_object' ? { responseFormat: { type: 'json' } } : {}
}
