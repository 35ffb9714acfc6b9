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
    paths.chat({ agent: 'analyst', session: 'chat-1' }),
    paths.runs({ search: 'ARR' }),
    paths.journal(runId),
    paths.attention({ reason: 'failed' }),
    paths.agents(),
    paths.agent('analyst'),
    paths.agentDiff('analyst', { from: '0123456789ab', to: 'ba9876543210' }),
    paths.schedules(),
    paths.models({ search: 'gpt' }),
    paths.budgets({ by: 'model', span: 'week' }),
    paths.system(),
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
      "/chat?agent=analyst&session=chat-1",
      "/runs?search=ARR",
      "/runs/0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de/journal",
      "/attention?reason=failed",
      "/agents",
      "/agents/analyst",
      "/agents/analyst/diff?from=0123456789ab&to=ba9876543210",
      "/schedules",
      "/models?search=gpt",
      "/budgets?by=model&span=week",
      "/system",
    ]
  `)
})

test('every path matches the pattern of its name', () => {
  const examples: Record<keyof typeof paths, string> = {
    home: paths.home(),
    signIn: paths.signIn(),
    runs: paths.runs(),
    run: paths.run(runId),
    chat: paths.chat(),
    journal: paths.journal(runId),
    attention: paths.attention(),
    agents: paths.agents(),
    agent: paths.agent('analyst'),
    agentDiff: paths.agentDiff('analyst'),
    schedules: paths.schedules(),
    models: paths.models(),
    budgets: paths.budgets(),
    approvals: paths.approvals(),
    system: paths.system(),
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
