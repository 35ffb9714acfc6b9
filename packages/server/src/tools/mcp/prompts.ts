/** Prompts of an MCP server: a person chooses one, and a run begins with its messages. They are the server's words, and asked for each time. */
import { type OfferedPrompt, type PromptChoice, shorten, visibleText } from '@longhaul/protocol'
import { failed } from '../failures.ts'
import { openAsking } from './asked-input.ts'
import type { McpClients, McpTarget } from './clients.ts'
import { asking, textOf } from './mcp.ts'

const promptsMax = 200
const argumentsMax = 50
const nameLengthMax = 200
const textLengthMax = 500
const promptLengthMax = 200_000
const askMsMax = 30_000

/** Those that can be asked for: none where the server offers none. */
export async function listPrompts(clients: McpClients, target: McpTarget, signal: AbortSignal): Promise<OfferedPrompt[]> {
  const { prompts } = await asking(clients, target, signal, true, (client) =>
    client.listPrompts(undefined, { timeout: askMsMax, signal, cacheMode: 'refresh' }),
  )
  const shown = (text: string | undefined) => (text === undefined ? null : shorten(visibleText(text), textLengthMax))
  const isPlain = (name: string) => name !== '' && name.length <= nameLengthMax && visibleText(name) === name
  return prompts
    .filter(({ name, arguments: wanted = [] }) => isPlain(name) && wanted.length <= argumentsMax && wanted.every((one) => isPlain(one.name)))
    .slice(0, promptsMax)
    .map(({ name, title, description, arguments: wanted = [] }) => ({
      name,
      title: shown(title),
      description: shown(description),
      arguments: wanted.map((one) => ({ name: one.name, description: shown(one.description), isRequired: one.required ?? false })),
    }))
}

/** Its messages as one text: the text of the one that there is, or of each with who says it. */
export async function readPrompt(
  clients: McpClients,
  target: McpTarget,
  choice: Omit<PromptChoice, 'connection'>,
  signal: AbortSignal,
): Promise<{ description: string | null; text: string }> {
  const who = `The tool server ${target.connection}`
  const inquiry = openAsking(who, undefined)
  const { description, messages } = await asking(
    clients,
    target,
    signal,
    true,
    (client) =>
      inquiry.request(
        client,
        (again) => client.getPrompt({ name: choice.name, arguments: choice.arguments, ...again }, { timeout: askMsMax, maxTotalTimeout: askMsMax, signal }),
        () => '',
      ),
    inquiry.answer,
  )
  const said = messages.map(({ role, content }) => ({ role, text: textOf([content]) }))
  const text =
    said.length === 1 && said[0]?.role === 'user' ? said[0].text : said.map((one) => `${one.role === 'user' ? 'User' : 'Assistant'}: ${one.text}`).join('\n\n')
  if (text.length > promptLengthMax) throw failed('too_large', `${who} has a prompt of ${text.length} characters; at most ${promptLengthMax} are taken.`)
  return { description: description === undefined ? null : shorten(visibleText(description), textLengthMax), text }
}
