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
    paths.settings(),
    paths.keys(),
    paths.policies(),
    paths.newPolicy(),
    paths.policy('refund-limit'),
    paths.secrets(),
    paths.limits(),
    paths.tenants(),
    paths.deliveries({ state: 'failed' }),
    paths.audit(),
    paths.audit({ who: runId, action: 'keys.create', outcome: 'done', from: '2026-11-01', to: '2026-11-30' }),
    paths.sandboxes(),
    paths.sandboxes({ state: 'active', cursor: 'a+b' }),
    paths.snapshots(),
    paths.sandbox('build', { view: 'files', path: 'src/a b' }),
    paths.tools({ agent: 'support', tool: 'crm__find_customer' }),
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
      "/settings",
      "/settings/keys",
      "/settings/policies",
      "/settings/new-policy",
      "/settings/policies/refund-limit",
      "/settings/secrets",
      "/settings/limits",
      "/settings/tenants",
      "/settings/deliveries?state=failed",
      "/audit",
      "/audit?who=0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de&action=keys.create&outcome=done&from=2026-11-01&to=2026-11-30",
      "/sandboxes",
      "/sandboxes?state=active&cursor=a%2Bb",
      "/sandboxes/snapshots",
      "/sandboxes/build?view=files&path=src%2Fa+b",
      "/tools?agent=support&tool=crm__find_customer",
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
    settings: paths.settings(),
    keys: paths.keys(),
    policies: paths.policies(),
    newPolicy: paths.newPolicy(),
    policy: paths.policy('refund-limit'),
    secrets: paths.secrets(),
    limits: paths.limits(),
    tenants: paths.tenants(),
    deliveries: paths.deliveries(),
    audit: paths.audit(),
    sandboxes: paths.sandboxes(),
    snapshots: paths.snapshots(),
    sandbox: paths.sandbox('build'),
    tools: paths.tools(),
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
