import { expect, test } from 'vitest'
import { startFakeApi } from './support/fake-api.ts'
import { command, ctrlC } from './support/run-command.ts'

const answers = {
  'connections.authorize': { url: 'https://login.example.com/authorize', state: 'the-state', authority: 'login.example.com' },
  'connections.finish': { agent: 'support', connection: 'crm', authority: 'login.example.com', scope: null, isRefreshable: false },
}

test('what comes back to this machine with the right state goes to the server, and nothing else does', async () => {
  await using api = await startFakeApi({ answers })
  const seen: number[] = []
  const visits: Promise<unknown>[] = []
  const visit = async (back: string) => {
    for (const query of ['?code=c&state=forged', '?code=the-code&state=the-state&iss=https%3A%2F%2Flogin.example.com'])
      seen.push((await fetch(`${back}${query}`)).status)
  }
  const { exit, out } = await command(api, ['tools', 'authorize', 'support', 'crm'], {
    onOut(text) {
      const begun = api.requests.find(({ path }) => path.endsWith('/authorize'))?.body as { redirectUri: string } | undefined
      if (text.includes('https://login.example.com/authorize') && begun && visits.length === 0) visits.push(visit(begun.redirectUri))
    },
  })
  await Promise.all(visits)
  expect([exit, seen]).toEqual([0, [404, 200]])
  expect(out).toContain('is authorized at login.example.com')
  expect(out).toContain('no refresh token')
  expect(api.requests.at(-1)).toMatchObject({
    path: '/v1/agents/support/connections/crm/authorized',
    body: { code: 'the-code', state: 'the-state', iss: 'https://login.example.com' },
  })
})

test('a refusal and Ctrl-C end it', async () => {
  await using api = await startFakeApi({ answers })
  let isVisited = false
  const refused = await command(api, ['tools', 'authorize', 'support', 'crm'], {
    onOut() {
      const begun = api.requests.find(({ path }) => path.endsWith('/authorize'))?.body as { redirectUri: string } | undefined
      if (begun && !isVisited) {
        isVisited = true
        void fetch(`${begun.redirectUri}?error=access_denied&error_description=Not%20today&state=the-state`)
      }
    },
  })
  expect(refused.err).toContain('Not today')
  const interrupt = new AbortController()
  const left = await command(api, ['tools', 'authorize', 'support', 'crm'], { interrupt, onOut: () => ctrlC(interrupt) })
  expect(left.exit).toBe(130)
  expect(api.requests.filter(({ path }) => path.endsWith('/authorized'))).toEqual([])
})
