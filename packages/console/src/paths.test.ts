import { expect, test } from 'vitest'
import { paths, patterns, readQuery, writeQuery } from './paths.ts'

const runId = '0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de'

test('the map of the console', () => {
  expect([
    paths.home(),
    paths.home({ agent: 'analyst', question: '上季度末的 ARR 是多少？' }),
    paths.signIn(),
    paths.signIn({ to: paths.run(runId) }),
    paths.signIn({ rejected: 'yes' }),
    paths.runs(),
    paths.runs({ state: 'failed', agent: 'analyst' }),
    paths.runs({ cursor: 'a+b/c=' }),
    paths.run(runId),
    paths.run(runId, { step: '3.0' }),
    paths.run(runId, { step: 'e12', show: 'problem' }),
    paths.approvals(),
    paths.approvals({ state: 'pending' }),
    paths.system(),
    paths.join(),
    paths.device({ code: 'BCDF-GHJK' }),
    paths.me(),
    paths.people(),
  ]).toMatchInlineSnapshot(`
    [
      "/",
      "/?agent=analyst&question=%E4%B8%8A%E5%AD%A3%E5%BA%A6%E6%9C%AB%E7%9A%84+ARR+%E6%98%AF%E5%A4%9A%E5%B0%91%EF%BC%9F",
      "/sign-in",
      "/sign-in?to=%2Fruns%2F0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de",
      "/sign-in?rejected=yes",
      "/runs",
      "/runs?state=failed&agent=analyst",
      "/runs?cursor=a%2Bb%2Fc%3D",
      "/runs/0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de",
      "/runs/0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de?step=3.0",
      "/runs/0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de?step=e12&show=problem",
      "/approvals",
      "/approvals?state=pending",
      "/system",
      "/join",
      "/device?code=BCDF-GHJK",
      "/me",
      "/settings/people",
    ]
  `)
})

test('every path matches the pattern of its name', () => {
  const examples: Record<keyof typeof paths, string> = {
    home: paths.home(),
    signIn: paths.signIn(),
    runs: paths.runs(),
    run: paths.run(runId),
    approvals: paths.approvals(),
    system: paths.system(),
    join: paths.join(),
    device: paths.device(),
    me: paths.me(),
    people: paths.people(),
  }
  for (const [name, pattern] of Object.entries(patterns)) {
    const expected = new RegExp(`^${pattern.replace(/\$\w+/g, '[^/]+')}$`)
    expect(examples[name as keyof typeof paths]).toMatch(expected)
  }
})

test('what a query says comes back as the same text', () => {
  const fields = { step: '3.0', question: 'a & b = c? 上季度', empty: '' }
  expect(readQuery(writeQuery(fields))).toEqual({ step: '3.0', question: 'a & b = c? 上季度' })
})
