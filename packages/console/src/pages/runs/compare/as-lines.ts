import { Answer, Prompt, attachmentPath } from '@longhaul/protocol'

/** Any value as text whose lines can be compared: a prompt and an answer as they are read, a text as it is, the rest as JSON. */
export function asLines(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  const prompt = Prompt.safeParse(value)
  if (prompt.success) return promptLines(prompt.data)
  const answer = Answer.safeParse(value)
  return answer.success ? answerLines(answer.data) : spread(value)
}

function promptLines({ model, instructions, tools, messages, outputTokensMax }: Prompt): string {
  return [
    `model: ${model}`,
    ...(outputTokensMax === undefined ? [] : [`outputTokensMax: ${outputTokensMax}`]),
    `tools: ${tools.map(({ name }) => name).join(', ')}`,
    ...(instructions ? ['', '[instructions]', instructions] : []),
    ...messages.flatMap(({ role, content }) => [
      '',
      `[${role}]`,
      ...content.map((part) => {
        if (part.type === 'text') return part.text
        if (part.type === 'attachment') return `${attachmentPath(part)} ${part.digest}`
        return `${part.toolName}\n${spread(part.type === 'tool-call' ? part.input : part.output)}`
      }),
    ]),
  ].join('\n')
}

/** Files by their names: each run has stored its own. */
function answerLines({ text, parts }: Answer): string {
  return [
    text,
    ...parts.flatMap((part) =>
      part.type === 'table'
        ? ['', part.title ?? '', part.columns.map(({ name }) => name).join(' | '), ...part.rows.map((row) => row.map(String).join(' | '))]
        : ['', `${part.name} (${part.mediaType})`],
    ),
  ].join('\n')
}

/** JSON with the line breaks of its texts as line breaks: a script in one line of `\n` cannot be compared. */
const spread = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value, null, 2).replaceAll('\\n', '\n'))
