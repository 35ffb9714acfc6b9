/** What may leave: pure decisions over a sandbox's rules. */
import type { EgressRule } from '@longhaul/protocol'

export type Decision<Allowed> = ({ isAllowed: true } & Allowed) | { isAllowed: false; reason: string }

const portsDefault = [80, 443]
const matchesHost = (pattern: string, host: string) => {
  const name = pattern.toLowerCase()
  return name.startsWith('*.') ? host.endsWith(name.slice(1)) && host.length > name.length - 1 : host === name
}
const rulesFor = (rules: readonly EgressRule[], host: string, port: number) =>
  rules.filter((rule) => matchesHost(rule.host, host) && (rule.port === undefined ? portsDefault.includes(port) : rule.port === port))

/** Whether the proxy has to see the requests themselves to apply the rule. */
export const isReading = ({ methods, paths, credential }: EgressRule): boolean => methods !== undefined || paths !== undefined || credential !== undefined

/** Whether anything may go to this host, and whether the proxy has to read it. */
export function decideHost(rules: readonly EgressRule[], host: string, port: number): Decision<{ isRead: boolean }> {
  const found = rulesFor(rules, host, port)
  if (found.length === 0) return { isAllowed: false, reason: `No rule allows ${host}:${port}.` }
  return { isAllowed: true, isRead: found.some(isReading) }
}

/** Whether this request may go, and by which rule: the first that allows it. */
export function decideRequest(
  rules: readonly EgressRule[],
  host: string,
  port: number,
  method: string,
  { path, isCertain }: Pick<PlainPath, 'path' | 'isCertain'>,
): Decision<{ rule: EgressRule }> {
  const found = rulesFor(rules, host, port)
  if (found.length === 0) return { isAllowed: false, reason: `No rule allows ${host}:${port}.` }
  const rule = found.find(
    ({ methods, paths }) =>
      (methods === undefined || methods.some((each) => each === method)) &&
      (paths === undefined || paths.some((each) => each === '/*' || (isCertain && matchesPath(each, path)))),
  )
  if (!rule && !isCertain)
    return { isAllowed: false, reason: `No rule for ${method} at every path of ${host}:${port}, and servers read an encoded slash differently.` }
  if (!rule) return { isAllowed: false, reason: `No rule allows ${method} ${path.slice(0, 200)} at ${host}:${port}.` }
  if (rule.credential?.value === '')
    return {
      isAllowed: false,
      reason: `The value of ${rule.credential.header} for ${host} was forgotten when the server restarted. Set the sandbox's egress again.`,
    }
  return { isAllowed: true, rule }
}

const matchesPath = (pattern: string, path: string) => (pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern)

/** `isCertain`: false where servers read it differently, by an encoded slash, as npm writes it in `/@scope%2fname`. Only rules for every path allow that. */
export type PlainPath = { path: string; query: string; isCertain: boolean }

/** A path as every server would read it, with its query, or undefined where it could be anything: with backslashes, control characters and the like. */
export function plainPath(target: string): PlainPath | undefined {
  if (!target.startsWith('/') || target.startsWith('//') || /\\|%5c|%00|[\x00-\x20\x7f]/i.test(target.split('?')[0] ?? '')) return undefined
  if (!URL.canParse(target, 'http://host.invalid')) return undefined
  const { pathname, search } = new URL(target, 'http://host.invalid')
  return { path: pathname.replaceAll(/%2e/gi, '.'), query: search, isCertain: !/%2f/i.test(pathname) }
}
