/** A request in OpenAI's responses, as call options for any model. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message, LanguageModelV4ToolChoice } from '@ai-sdk/provider'
import type { FaceCall } from '../face-call.ts'
import { refuse } from '../request-body.ts'
import { type Fields, type UserPart, fieldsOf, fileOf, inputOf, joined, listOf, textOf, unknownPart } from './content.ts'
import { unseal } from './seal.ts'
import { effortOf, functionTool, jsonFormat, oneCallOnly, refuseOwn, sampling } from './settings.ts'

/** What only OpenAI's own store could answer. */
const elsewhere = ['previous_response_id', 'conversation', 'prompt', 'background'] as const

const own = { top_logprobs: 'Leave it out.' }

export function fromResponses({ body: { fields }, outputTokensMax }: FaceCall, model: string): LanguageModelV4CallOptions {
  for (const name of elsewhere) {
    if (fields[name] !== undefined && fields[name] !== null && fields[name] !== false)
      throw refuse('unsupported', `${name}: what OpenAI stores, ${model} does not know. Send the whole conversation as input.`)
  }
  refuseOwn(fields, own, model)
  const names = new Map<string, string>()
  const { input, instructions } = fields
  const items: LanguageModelV4Message[] =
    typeof input === 'string'
      ? [{ role: 'user', content: [{ type: 'text', text: input }] }]
      : listOf(input, 'input').flatMap((item, i) => toMessages(fieldsOf(item, `input.${i}`), `input.${i}`, model, names))
  const format = fields['text'] === undefined || fields['text'] === null ? undefined : fieldsOf(fields['text'], 'text')['format']
  const reasoning = fields['reasoning'] === undefined || fields['reasoning'] === null ? {} : fieldsOf(fields['reasoning'], 'reasoning')
  return {
    prompt: joined([...(typeof instructions === 'string' && instructions !== '' ? [{ role: 'system' as const, content: instructions }] : []), ...items]),
    ...sampling(fields, undefined),
    ...(outputTokensMax === undefined ? {} : { maxOutputTokens: outputTokensMax }),
    ...toolsOf(fields, model),
    ...formatOf(format),
    ...effortOf(reasoning['effort']),
  }
}

function toMessages(item: Fields, where: string, model: string, names: Map<string, string>): LanguageModelV4Message[] {
  switch (item['type'] ?? 'message') {
    case 'message': {
      const { role, content } = item
      const parts =
        typeof content === 'string' ? (content === '' ? [] : [{ type: 'text' as const, text: content }]) : partsOf(content, `${where}.content`, model)
      if (role === 'user') return [{ role, content: parts }]
      const texts = parts.flatMap((part) => (part.type === 'text' ? [part] : []))
      if (role === 'assistant') return [{ role, content: texts }]
      if (role === 'system' || role === 'developer') return [{ role: 'system', content: texts.map(({ text }) => text).join('\n\n') }]
      throw refuse('bad_request', `${where}.role: must be user, assistant, system or developer.`)
    }
    case 'function_call': {
      const toolCallId = textOf(item['call_id'], `${where}.call_id`)
      const toolName = textOf(item['name'], `${where}.name`)
      names.set(toolCallId, toolName)
      return [{ role: 'assistant', content: [{ type: 'tool-call', toolCallId, toolName, input: inputOf(item['arguments']) }] }]
    }
    case 'function_call_output': {
      const toolCallId = textOf(item['call_id'], `${where}.call_id`)
      const toolName = names.get(toolCallId)
      if (toolName === undefined) throw refuse('bad_request', `${where}.call_id: no item before it has a call ${JSON.stringify(toolCallId.slice(0, 64))}.`)
      const { output } = item
      if (typeof output === 'string')
        return [{ role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'text', value: output } }] }]
      return [
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'content', value: partsOf(output, `${where}.output`, model) } }],
        },
      ]
    }
    case 'reasoning': {
      const providerOptions = unseal(model, item['encrypted_content'])
      if (!providerOptions) return []
      const summary = Array.isArray(item['summary'])
        ? item['summary'].map((part, i) => textOf(fieldsOf(part, `${where}.summary.${i}`)['text'], `${where}.summary.${i}.text`))
        : []
      return [{ role: 'assistant', content: [{ type: 'reasoning', text: summary.join('\n\n'), providerOptions }] }]
    }
    default:
      throw unknownPart(where, item['type'], model)
  }
}

function partsOf(content: unknown, where: string, model: string): UserPart[] {
  return listOf(content, where).flatMap((each, i): UserPart[] => {
    const at = `${where}.${i}`
    const part = fieldsOf(each, at)
    switch (part['type']) {
      case 'input_text':
      case 'output_text':
      case 'text': {
        const text = textOf(part['text'], `${at}.text`)
        return text === '' ? [] : [{ type: 'text', text }]
      }
      case 'refusal':
        return [{ type: 'text', text: textOf(part['refusal'], `${at}.refusal`) }]
      case 'input_image':
        return [fileOf(part['image_url'], 'image/*', `${at}.image_url`)]
      case 'input_file':
        return [fileOf(part['file_data'] ?? part['file_url'], 'application/pdf', `${at}.file_data`)]
      default:
        throw unknownPart(at, part['type'], model)
    }
  })
}

function toolsOf(fields: Fields, model: string): Pick<LanguageModelV4CallOptions, 'tools' | 'toolChoice' | 'providerOptions'> {
  if (fields['tools'] === undefined || fields['tools'] === null) return {}
  const tools = listOf(fields['tools'], 'tools').map((each, i) => {
    const tool = fieldsOf(each, `tools.${i}`)
    if (tool['type'] !== 'function')
      throw refuse('unsupported', `tools.${i}: ${String(tool['type']).slice(0, 64)} is a tool of OpenAI’s own and cannot be carried over.`)
    return functionTool(tool, tool['parameters'], `tools.${i}`)
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
  return { type: 'tool', toolName: textOf(fieldsOf(choice, 'tool_choice')['name'], 'tool_choice.name') }
}

function formatOf(format: unknown): Pick<LanguageModelV4CallOptions, 'responseFormat'> {
  if (format === undefined || format === null) return {}
  const fields = fieldsOf(format, 'text.format')
  if (fields['type'] === 'json_schema') return jsonFormat(fields, 'text.format')
  return fields['type'] === 'json_object' ? { responseFormat: { type: 'json' } } : {}
}
