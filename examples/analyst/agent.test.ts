import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calls, loadAgent, runAgent, says } from '@longhaul/sdk/testing'
import { expect, onTestFinished, test } from 'vitest'

test('the folder is a complete agent: its tools, skills and instructions are found', async () => {
  const { manifest } = await loadAgent(import.meta.dirname)
  expect(manifest.tools.map(({ name }) => name).sort()).toEqual(['bash', 'chart', 'python', 'query', 'read_file', 'read_skill', 'write_file'])
  expect(manifest.skills.map(({ name }) => name).sort()).toEqual(['comparing-periods', 'finding-causes', 'states-over-time'])
  expect(manifest.instructions).toContain('/workspace/semantic')
  expect(manifest.examples.length).toBeGreaterThan(2)
})

test('a question is answered with a table, its SQL and a chart, from a warehouse that is made before the first run', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'analyst-run-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  const sql = "select channel, count(*) as customers from accounts where status = 'customer' group by 1 order by 2 desc"
  const run = await runAgent(import.meta.dirname, {
    input: 'How many customers do we have by channel?',
    dataDir,
    asker: { id: '1', name: 'Ada', access: { regions: ['Europe'], personalData: false } },
    model: [
      calls(['query', { sql, title: 'Customers by channel' }]),
      calls(['chart', { type: 'bar', title: 'Customers by channel', sql, x: 'channel', y: 'customers' }]),
      says('Most came by themselves.'),
    ],
  })
  expect(run).toMatchObject({
    state: 'completed',
    output: {
      text: 'Most came by themselves.',
      parts: [
        { type: 'table', sql },
        { type: 'file', mediaType: 'image/svg+xml' },
        { type: 'file', mediaType: 'image/png' },
      ],
    },
  })
  expect(run.prompts[0]?.instructions).toContain('2026-11-18')
  expect(JSON.stringify(run.prompts[1]?.messages)).toContain('The caller may see Europe only')
  expect(run.artifacts.map(({ name }) => name)).toEqual(['customers-by-channel.svg', 'customers-by-channel.png'])
})
