/** What several commands about sandboxes are given: variables, and rules of what may leave. */
import { type EgressRule, EgressRule as EgressRuleSchema } from '@longhaul/protocol'
import type { Invocation } from './invocation.ts'
import { Problem } from './problem.ts'

export type EgressOptions = { allow?: string[]; credential?: string[] }

export function envFrom(given: string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((each) => {
      const at = each.indexOf('=')
      if (at < 1) throw new Problem('invalid', `"${each}" is no variable.`, 'Write it as NAME=value.')
      return [each.slice(0, at), each.slice(at + 1)]
    }),
  )
}

/** `host`, `host/path*`, `GET,POST:host/path*`, and credentials for some of them. Undefined when none was given. */
export async function rulesFrom({ world }: Invocation, { allow, credential = [] }: EgressOptions): Promise<EgressRule[] | undefined> {
  if (!allow) {
    if (credential.length > 0) throw new Problem('invalid', 'A credential needs a host that is allowed.', 'Give --allow with its host.')
    return undefined
  }
  const credentials = new Map<string, { header: string; value: string }>()
  for (const each of credential) {
    const [, host = '', header = '', value = ''] = /^([^=]+)=([^:]+):(.*)$/s.exec(each) ?? []
    if (!host)
      throw new Problem(
        'invalid',
        'A credential is written as host=header:value.',
        'With - as the value it is read from standard input, where no other program sees it.',
      )
    credentials.set(host, { header, value: value === '-' ? (await world.readStdin()).trim() : value })
  }
  const rules = allow.map((each) => {
    const [, methods, host = '', port, path] = /^(?:([A-Z,]+):)?([^:/]+)(?::(\d+))?(\/.*)?$/.exec(each) ?? []
    const found = credentials.get(host)
    credentials.delete(host)
    const parsed = EgressRuleSchema.safeParse({
      host,
      ...(port !== undefined && { port: Number(port) }),
      ...(methods !== undefined && { methods: methods.split(',') }),
      ...(path !== undefined && { paths: [path] }),
      ...(found && { credential: found }),
    })
    if (!parsed.success)
      throw new Problem(
        'invalid',
        `"${each}" is no rule: ${parsed.error.issues[0]?.message ?? ''}.`,
        'Write it as example.com, *.example.com/path* or GET,POST:example.com/path*.',
      )
    return parsed.data
  })
  const [left] = credentials.keys()
  if (left !== undefined) throw new Problem('invalid', `There is a credential for ${left}, which is not allowed.`, `Give --allow ${left}.`)
  return rules
}
