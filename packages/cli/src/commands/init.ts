/** A folder with an agent in it, to start from. */
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Name } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Problem } from '../problem.ts'
import { printFields } from '../show/records.ts'
import { templates } from '../templates.ts'

const folderOf = (template: string): string => fileURLToPath(new URL(`../../templates/${template}`, import.meta.url))

export async function init(invocation: Invocation, given: string, { template }: { template: string }): Promise<number> {
  const { isJson, printJson, world } = invocation
  const target = resolve(world.folder, given)
  const name = basename(target)
  if (!Name.safeParse(name).success) {
    throw new Problem('invalid', `"${name}" cannot name an agent: use lower-case letters, digits and hyphens.`, 'npx longhaul init my-agent')
  }
  const known = Object.keys(templates)
  if (!known.includes(template)) {
    const near = nearNames(template, known, 1)[0]
    throw new Problem('invalid', `There is no template "${template}".`, near ? `Did you mean ${near}?` : `There are: ${known.join(', ')}`)
  }
  if (existsSync(target) && (await readdir(target)).length > 0) {
    throw new Problem('conflict', `${given} is there already, and not empty.`, 'Choose another name; nothing was written.')
  }
  await mkdir(dirname(target), { recursive: true })
  await cp(folderOf(template), target, { recursive: true })
  const readme = join(target, 'README.md')
  await writeFile(readme, (await readFile(readme, 'utf8')).replaceAll('{{name}}', name))
  const files = (await readdir(target, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(target, join(entry.parentPath, entry.name)))
    .toSorted()
  if (isJson) printJson({ agent: name, folder: target, template, files })
  else
    printFields(invocation, [
      ['made', relative(world.folder, target) || '.'],
      ['files', files.join('\n')],
      ['next', `npx longhaul dev ${given}\nnpx longhaul deploy ${given}`],
    ])
  return exitCodes.done
}
