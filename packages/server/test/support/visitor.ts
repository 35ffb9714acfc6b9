/** A browser of few words: it keeps cookies, and knows the token that our pages send along. */
import type { Json } from '@longhaul/protocol'
import type { Bed } from './api-bed.ts'

export type Visitor = ReturnType<typeof openVisitor>
export type Answer = { status: number; body: Record<string, unknown>; cookies: string[] }

export function openVisitor({ app }: Pick<Bed, 'app'>, address = '192.0.2.1') {
  const jar = new Map<string, string>()
  let csrfToken = ''
  const ask = async (method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Answer> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await app.request(
      path,
      {
        method,
        headers: { ...(cookie && { cookie }), ...(csrfToken && { 'x-csrf-token': csrfToken }), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      },
      { incoming: { socket: { remoteAddress: address } } },
    )
    const cookies = response.headers.getSetCookie()
    for (const line of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value) jar.set(name, value)
      else jar.delete(name)
    }
    return { status: response.status, body: (await response.json()) as Record<string, unknown>, cookies }
  }
  return {
    jar,
    ask,
    /** As the console does when it is loaded. */
    async load(): Promise<Answer> {
      const me = await ask('GET', '/v1/me')
      csrfToken = typeof me.body['csrfToken'] === 'string' ? me.body['csrfToken'] : ''
      return me
    },
    login: () => jar.get('__Host-longhaul'),
  }
}

export const tokenOf = (link: unknown): string => String(link).split('#token=')[1] ?? ''
