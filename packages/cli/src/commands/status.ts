import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printFields } from '../show/records.ts'
import { duration } from '../show/values.ts'

export async function status(invocation: Invocation): Promise<number> {
  const client = await invocation.client()
  const system = await client.system.get()
  if (invocation.isJson) invocation.printJson(system)
  else {
    const { caller, sandbox, models, mail, database, startup } = system
    const startupMs = startup.reduce((sum, { ms }) => sum + ms, 0)
    printFields(invocation, [
      ['server', `${client.url} · version ${system.version}`],
      [
        'you',
        `${caller.name} · ${caller.permissions.length} permissions${caller.access.regions ? ` · only ${caller.access.regions.join(', ')}` : ''}${caller.access.personalData ? '' : ' · no personal data'}`,
      ],
      [
        'models',
        `${models.default}${models.offline ? ' (offline stand-in, not a language model)' : ''}${models.available.length > 1 ? `\n${models.available.join(', ')}` : ''}`,
      ],
      ['sandbox', `${sandbox.driver} · ${sandbox.languages.join(', ')}`],
      ['root', sandbox.root],
      ['enforces', sandbox.enforced.join(', ')],
      ['missing', sandbox.missing.map(({ what, remedy }) => `${what}\n  ${remedy}`).join('\n')],
      ['mail', mail ? `from ${mail.from}` : 'not configured: links to people are copied by hand\n  LONGHAUL_SMTP_URL and LONGHAUL_MAIL_FROM turn it on'],
      ['database', `${database.kind} · PostgreSQL ${database.version}`],
      ['started in', `${duration(startupMs)}${startup.length > 0 ? ` · ${startup.map(({ phase, ms }) => `${phase} ${duration(ms)}`).join(', ')}` : ''}`],
    ])
  }
  return exitCodes.done
}
