/** Completion in real shells, and the servers that somebody is signed in to. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { command } from './support/run-command.ts'
import { tempFolder } from './support/temp-folder.ts'

const run = promisify(execFile)
const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

/** What a shell offers after these words. */
const offered = {
  bash: (words: string[]) =>
    `source "$1"; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _longhaul; printf '%s\\n' "\${COMPREPLY[@]}"`,
  fish: (words: string[]) => `source $argv[1]; complete -C '${words.join(' ')}' | string split -f1 \\t`,
}

test.each(['bash', 'fish'] as const)('%s completes commands, those below them, and their options', async (shell) => {
  const { exit, out } = await command(undefined, ['completion', shell])
  expect(exit).toBe(0)
  if (!has(shell)) return expect(out).toContain('complete -c longhaul') // There is no such shell on this machine to ask.
  const file = join(await tempFolder(), 'completion')
  await writeFile(file, out)
  const ask = async (...words: string[]) => {
    const script = offered[shell](['longhaul', ...words])
    const { stdout } = await run(shell, shell === 'bash' ? ['-c', script, 'bash', file] : ['-c', script, file])
    return stdout.trim().split('\n')
  }
  expect(await ask('sched')).toEqual(['schedules'])
  expect(await ask('people', '')).toEqual(expect.arrayContaining(['invite', 'list', 'delete']))
  expect(await ask('people', '')).not.toContain('schedules')
  expect(await ask('people', 'invite', 'ada@example.com', '--ro')).toEqual(['--role'])
  expect(await ask('runs', 'watch', '--js')).toEqual(['--json'])
})

test('zsh is told to read the script for bash, and an unknown shell is refused with what there is', async () => {
  expect((await command(undefined, ['completion', 'zsh'])).out).toMatch(/^autoload -U \+X bashcompinit && bashcompinit\n_longhaul\(\)/)
  expect(await command(undefined, ['completion', 'csh'])).toMatchObject({ exit: 2, err: expect.stringContaining('bash, zsh, fish') })
})

test('contexts lists the servers that one is signed in to, without tokens, and chooses which is asked', async () => {
  const home = await tempFolder()
  const env = { HOME: home }
  await mkdir(join(home, '.longhaul'))
  const logins = { 'https://one.example.com': { token: 'lp_one', name: 'Ada' }, 'https://two.example.com': { token: 'lp_two', name: 'Ada at two' } }
  await writeFile(join(home, '.longhaul', 'logins.json'), JSON.stringify({ current: 'https://one.example.com', logins }))
  const list = async () => (await command(undefined, ['contexts', 'list', '--json'], { env })).out
  expect(JSON.parse(await list())).toEqual({
    items: [
      { url: 'https://one.example.com', name: 'Ada', isCurrent: true },
      { url: 'https://two.example.com', name: 'Ada at two', isCurrent: false },
    ],
  })
  expect((await command(undefined, ['contexts', 'use', 'https://two.example.com'], { env })).out).toContain('as Ada at two')
  expect(await list()).toMatch(/two.example.com","name":"Ada at two","isCurrent":true/)
  expect(await list()).not.toContain('lp_')
  expect(await command(undefined, ['contexts', 'use', 'https://three.example.com'], { env })).toMatchObject({
    exit: 5,
    err: expect.stringContaining('longhaul login --url https://three.example.com'),
  })
})
