/** Skills: written know-how in `skills/*.md` that the model reads when it needs it. */
import { z } from 'zod'
import { type Tool, tool } from './agent.ts'
import type { Skill } from './instructions.ts'

/** `---`, lines of `key: value`, `---`, then the text. Without it the name is the file's and the first heading describes it. */
const frontMatter = /^---\r?\n(.*?)\r?\n---\r?\n?/s

export function parseSkill(fileName: string, source: string): Skill {
  const found = frontMatter.exec(source)
  const text = found ? source.slice(found[0].length) : source
  const fields = new Map<string, string>()
  for (const line of found?.[1]?.split('\n') ?? []) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon).trim(), unquoted(line.slice(colon + 1).trim()))
  }
  const name = fields.get('name') ?? fileName.replace(/\.md$/, '')
  return { name, description: fields.get('description') ?? firstHeading(text) ?? name, text: text.trim() }
}

export function readSkillTool(skills: readonly Skill[]): Tool {
  const texts = new Map(skills.map(({ name, text }) => [name, text]))
  return tool({
    description: 'Reads one of the skills that the instructions list.',
    input: z.strictObject({ name: z.enum([...texts.keys()]) }),
    effect: 'none',
    run: ({ name }) => texts.get(name) ?? null,
  })
}

const unquoted = (value: string): string => /^(["'])(.*)\1$/.exec(value)?.[2] ?? value
const firstHeading = (text: string): string | undefined => /^#+\s+(.+)$/m.exec(text)?.[1]?.trim()
