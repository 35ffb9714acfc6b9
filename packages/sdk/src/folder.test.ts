import { expect, test } from 'vitest'
import { loadAgent } from './folder.ts'
import { makeAgentFolder } from '../test/support/agent-folder.ts'
import { calls, runAgent, says } from './testing.ts'

const agentFile = (options = '') => `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Answers', ${options} })\n`
const toolFile = (input = 'z.strictObject({ q: z.string().describe("what") })', more = '') =>
  `import { tool } from '@longhaul/sdk'\nimport { z } from 'zod'\nexport default tool({ description: 'looks', input: ${input}, run: ({ q }) => 'found ' + q, ${more} })\n`

async function problemOf(files: Record<string, string>): Promise<string> {
  await using made = await makeAgentFolder(files, { isInstalled: true })
  try {
    await loadAgent(made.folder)
  } catch (error) {
    return error instanceof Error && error.name === 'FolderProblem' ? error.message : `not a FolderProblem: ${String(error)}`
  }
  return 'it loaded'
}

test('a folder becomes an agent: instructions, tools by their file names, skills, stock tools', async () => {
  await using made = await makeAgentFolder(
    {
      'agent/agent.ts': agentFile("examples: ['Why?'], stockTools: ['bash'], model: 'some/model'"),
      'agent/instructions.md': 'Be brief.',
      'agent/tools/look_up.ts': toolFile(),
      'agent/tools/look_up.test.ts': 'throw new Error("tests are not tools")',
      'agent/tools/deep/not-a-tool.ts': 'throw new Error("folders are not tools")',
      'agent/skills/sums.md': '---\nname: adding\ndescription: "How to add: carefully"\n---\n# Adding\nCarry the one.\n',
      'agent/skills/plain.md': '# Plain words\nUse few.',
    },
    { isInstalled: true },
  )
  const loaded = await loadAgent(made.folder)
  expect(loaded.manifest).toMatchObject({
    description: 'Answers',
    shape: 'agent',
    model: 'some/model',
    instructions: 'Be brief.',
    skills: [
      { name: 'plain', description: 'Plain words' },
      { name: 'adding', description: 'How to add: carefully' },
    ],
    examples: ['Why?'],
  })
  expect(loaded.manifest.tools.map((tool) => tool.name)).toEqual(['look_up', 'bash', 'read_skill'])
  expect(loaded.manifest.tools[0]).toEqual({
    name: 'look_up',
    description: 'looks',
    inputSchema: { type: 'object', properties: { q: { type: 'string', description: 'what' } }, required: ['q'], additionalProperties: false },
  })
  const run = await runAgent(loaded, { input: 'x', model: [calls(['look_up', { q: 'it' }], ['read_skill', { name: 'adding' }]), says('ok')] })
  const last = run.prompts[1]?.messages.at(-1)
  expect(last?.role === 'tool' && last.content.map((result) => result.output)).toEqual(['found it', '# Adding\nCarry the one.'])
})

test('a durable function has a manifest, too', async () => {
  await using made = await makeAgentFolder(
    { 'agent/agent.ts': "import { durable } from '@longhaul/sdk'\nexport default durable('Greets', async (ctx, input) => 'Hello ' + input)\n" },
    { isInstalled: true },
  )
  const loaded = await loadAgent(made.folder)
  expect(loaded.manifest).toEqual({ description: 'Greets', shape: 'function', model: null, instructions: null, tools: [], skills: [], examples: [] })
  expect(await runAgent(loaded, { input: 'you' })).toMatchObject({ output: 'Hello you' })
})

test.each<[string, Record<string, string>, string | RegExp]>([
  ['no agent.ts', {}, 'agent/agent.ts: is missing'],
  ['no default export', { 'agent/agent.ts': 'export const agent = 1' }, 'agent/agent.ts: has no default export.'],
  [
    'something else as default export',
    { 'agent/agent.ts': 'export default { description: 1 }' },
    /agent\/agent\.ts: its default export is not what agent\(\) or durable\(\) makes: kind/,
  ],
  ['a stock tool that there is not', { 'agent/agent.ts': agentFile("stockTools: ['perl']") }, /agent\/agent\.ts: .*stockTools\.0: .*bash/],
  [
    'free time without a calendar',
    { 'agent/agent.ts': agentFile("stockTools: ['free_time']") },
    /agent\/agent\.ts: has the stock tool free_time and no calendar/,
  ],
  ['turnsMax that is no number', { 'agent/agent.ts': agentFile("turnsMax: 'many'") }, 'turnsMax'],
  ['a limit that limits nothing', { 'agent/agent.ts': agentFile('runLimits: {}') }, 'runLimits: limits nothing'],
  ['a lane key that is no path', { 'agent/agent.ts': agentFile("runLimits: { laneKey: 'a..b' }") }, 'runLimits.laneKey: must be names joined by dots'],
  ['code that throws while it is loaded', { 'agent/agent.ts': 'throw new Error("no database")' }, 'agent/agent.ts: threw while it was loaded: no database'],
  ['an import that is not there', { 'agent/agent.ts': "import './gone.ts'\nexport default 1" }, /agent\/agent\.ts: imports what is not there: .*gone\.ts/],
  ['a tool without default export', { 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': 'export const a = 1' }, 'agent/tools/a.ts: has no default export.'],
  [
    'a tool that is not one',
    { 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': 'export default () => 1' },
    'agent/tools/a.ts: its default export is not what tool() makes',
  ],
  [
    'a tool name that models refuse',
    { 'agent/agent.ts': agentFile(), 'agent/tools/a b.ts': toolFile() },
    "agent/tools/a b.ts: its name is the tool's, so it must be 1 to 64 letters",
  ],
  [
    'two tools of one name',
    { 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': toolFile(), 'agent/tools/a.mts': toolFile() },
    'agent/tools/a.ts: there is another tool "a".',
  ],
  [
    'a tool with the name of a stock tool',
    { 'agent/agent.ts': agentFile(), 'agent/tools/bash.ts': toolFile() },
    'agent/agent.ts: the folder\'s own tool "bash" has the name of a stock tool',
  ],
  [
    'a schema that JSON Schema cannot express',
    { 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': toolFile('z.strictObject({ q: z.date() })') },
    /agent\/tools\/a\.ts: its input cannot be expressed as JSON Schema: .*Date/,
  ],
  [
    'a schema that is no object',
    { 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': toolFile('z.string()') },
    'agent/tools/a.ts: its input must be an object schema (z.object or z.strictObject), not "string".',
  ],
  ['a schema that is none', { 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': toolFile('{ q: "string" }') }, 'input: must be a zod 4 schema'],
  ['a time-out that is too long', { 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': toolFile(undefined, 'timeoutMs: 9e9') }, 'timeoutMs'],
  [
    'two skills of one name',
    { 'agent/agent.ts': agentFile(), 'agent/skills/a.md': 'x', 'agent/skills/b.md': '---\nname: a\n---\ny' },
    'agent/skills/b.md: there is another skill "a".',
  ],
  ['an empty skill', { 'agent/agent.ts': agentFile(), 'agent/skills/a.md': '---\nname: a\n---\n' }, 'agent/skills/a.md: is empty.'],
  [
    'tools beside a durable function',
    { 'agent/agent.ts': "import { durable } from '@longhaul/sdk'\nexport default durable('x', async () => 1)", 'agent/tools/a.ts': toolFile() },
    'is a durable function, which has no tools',
  ],
])('%s is named', async (_, files, expected) => {
  expect(await problemOf(files)).toMatch(expected)
})

test('limits of its runs are part of what an agent says of itself', async () => {
  const limits = "runLimits: { runningMax: 3, laneKey: 'customer.id', perLaneKey: { startsPerMinute: 6 } }"
  await using made = await makeAgentFolder({ 'agent/agent.ts': agentFile(limits) }, { isInstalled: true })
  expect((await loadAgent(made.folder)).manifest.runLimits).toEqual({ runningMax: 3, laneKey: 'customer.id', perLaneKey: { startsPerMinute: 6 } })
})

test('all faults are told at once', async () => {
  const problem = await problemOf({ 'agent/agent.ts': 'export default 1', 'agent/tools/a.ts': 'export const a = 1', 'agent/skills/b.md': '' })
  expect(problem.split('\n').map((line) => line.split(':')[0])).toEqual(['agent/agent.ts', 'agent/tools/a.ts', 'agent/skills/b.md'])
})

test('a folder without faults has none', async () => {
  expect(await problemOf({ 'agent/agent.ts': agentFile(), 'agent/tools/a.ts': toolFile() })).toBe('it loaded')
})

test('schedules, channels, hooks and handoffs of the folder are in the manifest', async () => {
  await using made = await makeAgentFolder(
    {
      'agent/agent.ts': agentFile("handoffs: { billing: 'for invoices' }"),
      'agent/schedules/nightly.ts':
        "import { schedule } from '@longhaul/sdk'\nexport default schedule({ calendar: { kind: 'cron', cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, input: 'Report', overlap: 'queue' })\n",
      'agent/schedules/often.json': '{ "calendar": { "kind": "interval", "everyMs": 60000 } }',
      'agent/channels/chat.ts':
        "import { channel } from '@longhaul/sdk'\nexport default channel({ type: 'slack', signingSecret: 'slack-signing', token: 'slack-bot' })\n",
      'agent/hooks/redact.ts':
        "import { hook } from '@longhaul/sdk'\nexport default hook({ onEnd: ({ text }) => ({ text: text.replaceAll('secret', '***') }) })\n",
    },
    { isInstalled: true },
  )
  const loaded = await loadAgent(made.folder)
  expect(loaded.manifest).toMatchObject({
    schedules: [
      {
        name: 'nightly',
        schedule: { calendar: { cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, input: 'Report', overlap: 'queue', catchUp: 'one', priority: 'normal' },
      },
      { name: 'often', schedule: { calendar: { kind: 'interval', everyMs: 60_000 }, input: null, overlap: 'skip' } },
    ],
    channels: [{ name: 'chat', channel: { type: 'slack', apiUrl: 'https://slack.com/api' } }],
    hooks: [{ name: 'redact', points: ['onEnd'] }],
    handoffs: ['billing'],
  })
  expect(loaded.manifest.tools.map(({ name }) => name)).toContain('hand_off_to_billing')
  const run = await runAgent(loaded, { input: 'x', model: [says('the secret')] })
  expect(run.output).toMatchObject({ text: 'the ***' })
})

test('faults of schedules, channels and hooks are told with file and line', async () => {
  const problem = await problemOf({
    'agent/agent.ts': agentFile("output: z.object({}), handoffs: { billing: 'x' }").replace('\n', "\nimport { z } from 'zod'\n"),
    'agent/schedules/Bad.json': '{}',
    'agent/schedules/zone.json': '{\n  "calendar": {\n    "kind": "cron",\n    "cron": "0 3 * *",\n    "timeZone": "Mars/Olympus"\n  }\n}',
    'agent/schedules/overlap.ts': "export default {\n  calendar: { kind: 'interval', everyMs: 60_000 },\n  overlap: 'pile',\n}\n",
    'agent/channels/chat.ts': "export default {\n  type: 'slack',\n  signingSecret: 'a secret',\n  token: 'ok',\n}\n",
    'agent/hooks/empty.ts': "export default { kind: 'hook' }\n",
    'agent/hooks/odd.ts': "export default { kind: 'hook', beforeToll: () => {} }\n",
  })
  expect(problem).toContain('agent/schedules/Bad.json: its name')
  expect(problem).toContain('agent/schedules/zone.json:5: calendar.timeZone: there is no time zone "Mars/Olympus"')
  expect(problem).toContain('agent/schedules/zone.json:4: calendar.cron: must have five fields')
  expect(problem).toMatch(/agent\/schedules\/overlap.ts:3: overlap: /)
  expect(problem).toMatch(/agent\/channels\/chat.ts:3: signingSecret: must be letters/)
  expect(problem).toContain('agent/hooks/empty.ts: its default export is not what hook() makes: has none of')
  expect(problem).toContain('agent/hooks/odd.ts: its default export is not what hook() makes')
  expect(problem).toContain('has an output and handoffs')
})

test('a custom agent names what its stock tools read, and is told what is missing', async () => {
  const declared = { kind: 'custom', description: 'Asks', command: 'node', stockTools: ['sql', 'free_time'], databases: { shop: { secret: 'shop-database' } } }
  const made = { ...declared, calendars: { ada: { secret: 'calendar-of-ada', showsTitles: true } } }
  await using folder = await makeAgentFolder({ 'agent/agent.json': JSON.stringify(made) }, { isInstalled: true })
  const { manifest } = await loadAgent(folder.folder)
  expect(manifest).toMatchObject({ databases: { shop: { secret: 'shop-database', rowsMax: 100 } }, calendars: made.calendars })
  expect(manifest.tools.map(({ description }) => description.slice(-16))).toEqual([' There are: shop.', '. There are: ada.'].map((end) => end.slice(-16)))
  expect(await problemOf({ 'agent/agent.json': JSON.stringify(declared) })).toMatch(/agent\.json: has the stock tool free_time and no calendar/)
  expect(await problemOf({ 'agent/agent.json': JSON.stringify({ ...made, databases: { shop: { url: 'x' } } }) })).toMatch(/databases\.shop/)
})

test('a folder whose agent.json says mcp is an MCP server', async () => {
  const declared = { kind: 'mcp', description: 'Stock', command: 'node', args: ['server.ts'] }
  await using made = await makeAgentFolder({ 'agent/agent.json': JSON.stringify(declared) }, { isInstalled: true })
  expect((await loadAgent(made.folder)).manifest).toMatchObject({ shape: 'mcp', tools: [], mcp: { args: ['server.ts'], answerMsMax: 300_000 } })
  expect(await problemOf({ 'agent/agent.json': JSON.stringify({ ...declared, port: 8_080 }) })).toMatch(/agent\.json: is no MCP server: .*port/)
})
