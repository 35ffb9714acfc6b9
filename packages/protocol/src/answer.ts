import { z } from 'zod'
import { JsonValue, Usage } from './values.ts'

export const Cell = z.union([z.string(), z.number(), z.boolean(), z.null()])

/** Rows that an answer shows, with the SQL they came from. */
export const TablePart = z.object({
  type: z.literal('table'),
  title: z.string().max(300).optional(),
  columns: z.array(z.object({ name: z.string(), type: z.enum(['text', 'number', 'date', 'boolean']) })),
  rows: z.array(z.array(Cell)),
  /** How many rows the query found; more than `rows` holds when it was cut. */
  rowCount: z.number().int(),
  sql: z.string().optional(),
})
export type TablePart = z.infer<typeof TablePart>

/** A file that an answer shows or offers. Fetch it by `GET /v1/files/{fileId}`. */
export const FilePart = z.object({
  type: z.literal('file'),
  fileId: z.uuid(),
  name: z.string().max(200),
  mediaType: z.string().max(100),
  bytes: z.number().int(),
  title: z.string().max(300).optional(),
})
export type FilePart = z.infer<typeof FilePart>

export const AnswerPart = z.discriminatedUnion('type', [TablePart, FilePart])
export type AnswerPart = z.infer<typeof AnswerPart>

/** The output of an LLM agent's run. A durable function may return anything instead. */
export const Answer = z.object({
  text: z.string(),
  /** The answer in the shape that the agent declares (`output`). */
  output: JsonValue.optional(),
  parts: z.array(AnswerPart),
  model: z.string(),
  usage: Usage,
  /** The agent that has the conversation now, where this one has handed it over: the next message of the session goes there. */
  handedTo: z.string().optional(),
})
export type Answer = z.infer<typeof Answer>

/** Whose words a result holds: ours, or of somebody whom nobody of ours has checked. */
export const resultSources = ['own', 'tool_server', 'web'] as const

/** What a tool returns: `output` is for the model, `parts` are for the person who asked. */
export const ToolResult = z.object({
  output: JsonValue,
  parts: z.array(AnswerPart).default([]),
  /** Whose words it holds, where those are not our own. */
  source: z.enum(resultSources).optional(),
})
export type ToolResult = z.infer<typeof ToolResult>
