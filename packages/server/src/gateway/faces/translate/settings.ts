/** Settings that the languages share under nearly the same names. */
import type { LanguageModelV4CallOptions, LanguageModelV4FunctionTool } from '@ai-sdk/provider'
import { refuse } from '../request-body.ts'
import { type Fields, fieldsOf, listOf, numberOf, textOf } from './content.ts'

export function sampling(fields: Fields, stop: unknown): Partial<LanguageModelV4CallOptions> {
  const settings = {
    temperature: numberOf(fields['temperature'], 'temperature'),
    topP: numberOf(fields['top_p'], 'top_p'),
    topK: numberOf(fields['top_k'], 'top_k'),
    seed: numberOf(fields['seed'], 'seed'),
    presencePenalty: numberOf(fields['presence_penalty'], 'presence_penalty'),
    frequencyPenalty: numberOf(fields['frequency_penalty'], 'frequency_penalty'),
  }
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
  if (stop === undefined || stop === null) return given
  return { ...given, stopSequences: typeof stop === 'string' ? [stop] : listOf(stop, 'stop').map((text, i) => textOf(text, `stop.${i}`)) }
}

/** What only one vendor does, and an answer would be wrong without: by field, with what helps. */
export function refuseOwn(fields: Fields, own: Record<string, string>, model: string): void {
  for (const [name, remedy] of Object.entries(own)) {
    const value = fields[name]
    const isAsked = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== false && value !== 0
    if (isAsked) throw refuse('unsupported', `${name}: ${model} has nothing of the kind in this form. ${remedy}`)
  }
}

export function functionTool(fields: Fields, schema: unknown, where: string): LanguageModelV4FunctionTool {
  const description = fields['description']
  return {
    type: 'function',
    name: textOf(fields['name'], `${where}.name`),
    inputSchema: (schema ?? { type: 'object', properties: {} }) as LanguageModelV4FunctionTool['inputSchema'], // Providers check schemas themselves.
    ...(typeof description === 'string' ? { description } : {}),
    ...(typeof fields['strict'] === 'boolean' ? { strict: fields['strict'] } : {}),
  }
}

/** One call of a tool in each answer, in the words of each provider's package; Google and Bedrock have none for it. */
export function oneCallOnly(model: string): Pick<LanguageModelV4CallOptions, 'providerOptions'> {
  const compatible = { [model.slice(0, model.indexOf('/'))]: { parallel_tool_calls: false } }
  return { providerOptions: { ...compatible, openai: { parallelToolCalls: false }, anthropic: { disableParallelToolUse: true } } }
}

export function jsonFormat(format: Fields, where: string): Pick<LanguageModelV4CallOptions, 'responseFormat'> {
  const schema = fieldsOf(format['schema'], `${where}.schema`) as LanguageModelV4FunctionTool['inputSchema'] // Providers check schemas themselves.
  const name = typeof format['name'] === 'string' ? { name: format['name'] } : {}
  return { responseFormat: { type: 'json', schema, ...name } }
}

const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const

export function effortOf(effort: unknown): Pick<LanguageModelV4CallOptions, 'reasoning'> {
  if (effort === undefined || effort === null) return {}
  const known = efforts.find((each) => each === effort)
  if (!known) throw refuse('bad_request', `The effort of reasoning must be one of ${efforts.join(', ')}.`)
  return { reasoning: known }
}
