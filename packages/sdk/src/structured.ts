/** Answers that have a shape: the model gives them by a tool of its own, which every model that can call tools knows how to do. */
import type { Json, ToolDefinition } from '@longhaul/protocol'
import { z } from 'zod'
import { encode } from './failure.ts'
import { defineTool } from './tool-definition.ts'

export const answerTool = 'give_answer'

export type Structured = {
  readonly definition: ToolDefinition
  /** What the model said as its answer, or what is wrong with it in words for the model. */
  read(input: Json): Promise<{ output: Json } | { problem: string }>
  /** An answer that it wrote as text instead, if that is what was asked for. */
  readText(text: string): Promise<{ output: Json } | undefined>
}

export function structuredBy(schema: z.ZodType): Structured {
  const read: Structured['read'] = async (input) => {
    const parsed = await schema.safeParseAsync(input)
    if (!parsed.success) return { problem: `The answer does not have the shape that is asked for:\n${parsed.error.issues.map(describeIssue).join('\n')}` }
    return { output: JSON.parse(encode(parsed.data, 'The answer')) as Json }
  }
  return {
    definition: defineTool(answerTool, { description: 'Gives the final answer and ends the work. Call it alone, once you have everything.', input: schema }),
    read,
    async readText(text) {
      const inner = /^\s*```(?:json)?\s*\n(.*?)\n\s*```\s*$/s.exec(text)?.[1] ?? text
      let value: Json
      try {
        value = JSON.parse(inner) as Json
      } catch {
        return undefined // Prose: the model is reminded of the tool.
      }
      const found = await read(value)
      return 'output' in found ? found : undefined
    },
  }
}

export const describeIssue = ({ path, message }: { path: PropertyKey[]; message: string }): string =>
  `- ${path.length > 0 ? `${path.map(String).join('.')}: ` : ''}${message}`
