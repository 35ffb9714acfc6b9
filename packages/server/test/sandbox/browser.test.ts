/** The stock tool `browser` in a real sandbox: Chromium with no way out but the proxy. */
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { newId } from '../../src/kernel/index.ts'
import { browser } from '../../../sdk/src/browser.ts'
import type { Context } from '../../../sdk/src/agent.ts'
import { type Serve, openWorld } from '../support/egress-world.ts'
import { openManagedBed } from '../support/managed-bed.ts'
import { isHere, usableModes } from '../support/sandbox-modes.ts'

const hasBrowser = usableModes().length > 0 && isHere('chromium', 'the browser tool')
const never = new AbortController().signal

const pages: Record<string, string> = {
  '/': '<title>Shop</title><h1>Goods</h1><p>Only <b>today</b>.</p><a href="/more">More of it</a><form action="/search"><label>Look for <input name=q></label><button>Go</button></form><script>document.body.append(" made by a script")</script><span style="display:none">hidden words</span>',
  '/more': '<title>More</title><p>The second page.</p><img src="https://tracker.test/pixel.png">',
}
const serve: Serve = ({ url }, response) => {
  const { pathname, searchParams } = new URL(url, 'http://shop.test')
  const page = pathname === '/search' ? `<title>Found</title><p>You asked for ${searchParams.get('q')}.</p>` : pages[pathname]
  response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html' }).end(page ?? '<p>nothing here</p>')
}

async function open() {
  const world = await openWorld({}, serve)
  const bed = await openManagedBed({ reach: world.reach })
  const runId = newId()
  const files: { name: string; content: Uint8Array }[] = []
  const about = {
    id: runId,
    runId,
    owner: { tenantId: 'acme' },
    seed: undefined,
    limits: { memoryBytesMax: 1_500_000_000 },
    template: undefined,
    signal: never,
  }
  const egress = { rules: [{ host: 'shop.test', methods: ['GET' as const] }], bytesMax: 1e9, requestsMax: 1_000 }
  const ctx = {
    sandbox: {
      exec: async (command: { cmd: string; args: string[]; stdin: string; timeoutMs: number }) =>
        (await bed.runs.use({ ...about, egress }, (sandbox) => sandbox.exec(command, { signal: never }))).result,
      async readFile(path: string, bytesMax: number) {
        const { result } = await bed.runs.use({ ...about, egress }, (sandbox) => sandbox.files({ action: 'read', path, bytesMax }))
        return Buffer.from(result.action === 'read' ? result.base64 : '', 'base64')
      },
    },
    artifact: async (file: { name: string; content: Uint8Array }) => (files.push(file), { type: 'file', fileId: 'f', ...file }),
  } as unknown as Context // What the tool asks for of it.
  return {
    world,
    bed,
    runId,
    files,
    look: (input: { url: string; actions?: object[]; screenshot?: boolean }) =>
      browser.run(browser.input.parse(input) as Parameters<typeof browser.run>[0], ctx), // As just parsed.
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await world[Symbol.asyncDispose]()
    },
  }
}

test.skipIf(!hasBrowser)(
  'a page is opened through the proxy, read, clicked and typed into; what no rule names is not reached',
  { timeout: 300_000 },
  async () => {
    await using t = await open()
    const shown = await t.look({ url: 'https://shop.test/' })
    expect(shown).toMatch(/^Shop\nhttps:\/\/shop\.test\/ \(200\)\n\n# Goods\n\nOnly today\.\n/)
    expect(shown).toContain('[More of it](https://shop.test/more)')
    expect(shown).toContain('made by a script')
    expect(shown).not.toContain('hidden words')

    expect(await t.look({ url: 'https://shop.test/', actions: [{ click: 'more of it' }] })).toContain('The second page.')
    expect(await t.look({ url: 'https://shop.test/', actions: [{ into: 'Look for', text: 'a red bicycle' }, { press: 'Enter' }] })).toContain(
      'You asked for a red bicycle.',
    )
    await expect(t.look({ url: 'https://shop.test/', actions: [{ click: 'not there' }] })).rejects.toThrow(/Action 1: .*"not there"/)
    await expect(t.look({ url: 'https://other.test/' })).rejects.toThrow(/other\.test\/ could not be opened.*egress/)

    const drawn = (await t.look({ url: 'https://shop.test/more', screenshot: true })) as { parts: { name: string }[] }
    expect(drawn.parts).toMatchObject([{ name: 'page.png' }])
    expect(
      Buffer.from(t.files[0]?.content ?? [])
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG')

    const { items } = await t.bed.runs.connections({ tenantId: 'acme', runId: t.runId }, { limit: 200 })
    const hosts = (verdict: string) => [...new Set(items.filter((each) => each.verdict === verdict).map(({ host }) => host))]
    expect(hosts('allowed')).toEqual(['shop.test'])
    expect(hosts('refused')).toEqual(expect.arrayContaining(['other.test', 'tracker.test']))
    expect(new Set(t.world.seen.map(({ headers }) => headers.host))).toEqual(new Set(['shop.test']))
  },
)

test.skipIf(!hasBrowser)('where nothing is let out, and where no browser can run, the tool says what is missing', { timeout: 120_000 }, async () => {
  expect(existsSync('/usr/bin/chromium')).toBe(true)
  await using bed = await openManagedBed({ driver: 'virtual' })
  const about = {
    id: newId(),
    runId: newId(),
    owner: { tenantId: 'acme' },
    seed: undefined,
    limits: undefined,
    template: undefined,
    egress: undefined,
    signal: never,
  }
  const ctx = {
    sandbox: {
      exec: async (command: { cmd: string; args: string[]; stdin: string; timeoutMs: number }) =>
        (await bed.runs.use(about, (sandbox) => sandbox.exec(command, { signal: never }))).result,
    },
  } as unknown as Context // What the tool asks for of it.
  await expect(browser.run({ url: 'https://shop.test/', actions: [], screenshot: false }, ctx)).rejects.toThrow(/apt-get install bubblewrap/)
})
