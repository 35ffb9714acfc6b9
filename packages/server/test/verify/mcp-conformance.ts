/**
 * The public conformance suite of MCP against a hosted MCP server: the real server, the fixture `mcp-everything` deployed by the command line, and
 * every scenario of the suite at its address. The suite is fetched by `npx`; it is no dependency of ours.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openServerProcess } from '../support/server-process.ts'

const root = join(import.meta.dirname, '../../../..')
const folder = join(import.meta.dirname, '../fixtures/mcp-everything')

/** Versions of the suite, with what it is told to look at. */
const suites = [
  { version: '0.1.16', args: ['--suite', 'all'] },
  { version: '0.2.0-alpha.12', args: ['--spec-version', '2026-07-28', '--suite', 'all'] },
] as const

type Check = { id: string; status: string; errorMessage?: string }
type Tell = (fact: Record<string, unknown>) => void

/** True when no check failed. Warnings are about what is recommended: over pipes no program can close its client's stream in the middle, for one. */
export async function verifyMcpConformance(_: object, tell: Tell): Promise<boolean> {
  await using server = await openServerProcess({ env: { LONGHAUL_SANDBOX_DRIVER: 'bwrap', LONGHAUL_SANDBOX_ACCEPT: 'memory,cpu,disk' } })
  await server.start()
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key() }
  const deploy = ['--conditions=longhaul-source', join(root, 'packages/cli/bin/longhaul.js'), 'deploy', folder, '--agent', 'everything']
  const { status, stderr } = spawnSync(process.execPath, deploy, { encoding: 'utf8', env })
  if (status !== 0) throw new Error(stderr)
  await using proxy = await openKeyProxy(server.url(), server.key())
  let isFine = true
  for (const { version, args } of suites) {
    const results = mkdtempSync(join(tmpdir(), 'mcp-conformance-'))
    await run('npx', ['-y', `@modelcontextprotocol/conformance@${version}`, 'server', '--url', `${proxy.url}/mcp/everything`, '-o', results, ...args])
    for (const name of readdirSync(results).toSorted()) {
      const checks = JSON.parse(readFileSync(join(results, name, 'checks.json'), 'utf8')) as Check[]
      const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '')
      const failed = checks.filter((check) => check.status === 'FAILURE')
      isFine &&= failed.length === 0
      tell({
        ...{ suite: version, scenario, passed: checks.filter((check) => check.status === 'SUCCESS').length },
        failed: failed.map(({ id, errorMessage }) => ({ id, errorMessage })),
        warnings: checks.filter((check) => check.status === 'WARNING').map(({ id, errorMessage }) => ({ id, errorMessage })),
      })
    }
    rmSync(results, { recursive: true })
  }
  return isFine
}

/** The suite knows no keys. Whatever else a request has, its Host and Origin too, comes through as it is. */
async function openKeyProxy(url: string, key: string) {
  const { hostname, port } = new URL(url)
  const pass = (asked: IncomingMessage, answer: ServerResponse) => {
    const headers = { ...asked.headers, authorization: `Bearer ${key}` }
    const passed = request({ hostname, port, path: asked.url, method: asked.method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    answer.on('close', () => passed.destroy())
    asked.pipe(passed)
  }
  const proxy = createServer(pass)
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://localhost:${(proxy.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

/** It exits with 1 when a check failed; what failed is in its results. */
const run = (command: string, args: readonly string[]): Promise<unknown> =>
  new Promise((resolve, reject) =>
    spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
      .on('error', reject)
      .on('close', resolve),
  )
