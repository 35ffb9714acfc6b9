import type { System } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useMay } from '../../api/permissions.ts'
import { systemQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { formatDuration } from '../../ui/format.ts'
import { Note, Skeleton } from '../../ui/Notes.tsx'
import { StateIcon, Tag } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { accessInWords } from '../runs/run-facts.ts'

export function SystemPage() {
  const { t } = useTexts()
  const { data, error, isPending } = useQuery(systemQuery())
  return (
    <div className="max-w-4xl">
      <h1 className="mb-6 text-2xl font-semibold tracking-tight">{t('system.title')}</h1>
      {error && !data && <RequestError error={error} />}
      {isPending && <Skeleton className="h-96" />}
      {data && (
        <div className="divide-y divide-line border-t border-line">
          <SandboxPart {...data} />
          <ModelsPart models={data.models} />
          <StartupPart startup={data.startup} />
          <Part title={t('system.server')}>
            <Facts>
              <Fact name={t('system.version')}>{data.version}</Fact>
              <Fact name={t('system.mail')}>{data.mail ? t('system.mailFrom', { from: data.mail.from }) : t('system.noMail')}</Fact>
              <Fact name={t('system.database')}>
                PostgreSQL {data.database.version} · {t(`system.${data.database.kind}`)}
              </Fact>
            </Facts>
          </Part>
          <Part title={t('system.key')}>
            <Facts>
              <Fact name={t('system.key')}>{data.caller.name}</Fact>
              <Fact name={t('system.access')}>{accessInWords(data.caller, t)}</Fact>
              <Fact name={t('system.permissions')}>
                <span className="flex flex-wrap gap-1.5">
                  {data.caller.permissions.map((permission) => (
                    <Tag key={permission}>{permission}</Tag>
                  ))}
                </span>
              </Fact>
            </Facts>
          </Part>
        </div>
      )}
    </div>
  )
}

function SandboxPart({ sandbox, sandboxDrivers }: Pick<System, 'sandbox' | 'sandboxDrivers'>) {
  const { t } = useTexts()
  return (
    <Part title={t('system.sandbox')}>
      <Facts>
        <Fact name={t('system.driver')}>
          <span className="font-mono text-sm">{sandbox.driver}</span>
        </Fact>
        <Fact name={t('system.offered')}>
          <ul>
            {sandboxDrivers.map(({ driver, kernel, root }) => (
              <li key={driver}>
                <span className="font-mono text-sm">{driver}</span> <span className="text-ink-2">{t(`sandboxes.kernels.${kernel}`)}</span>
                {root !== null && <span className="font-mono text-xs break-all text-ink-2"> {root}</span>}
              </li>
            ))}
          </ul>
        </Fact>
        <Fact name={t('system.root')}>
          {sandbox.root === null ? t('system.usualRoot') : <span className="font-mono text-sm break-all">{sandbox.root}</span>}
        </Fact>
        <Fact name={t('system.languages')}>{sandbox.languages.join(', ') || t('common.none')}</Fact>
        <Fact name={t('system.enforced')}>
          {sandbox.enforced.length === 0 ? (
            t('system.nothingEnforced')
          ) : (
            <ul className="space-y-1">
              {sandbox.enforced.map((what) => (
                <li key={what} className="flex gap-2">
                  <StateIcon tone="good" className="mt-1" />
                  {what}
                </li>
              ))}
            </ul>
          )}
        </Fact>
        <Fact name={t('system.missing')}>
          {sandbox.missing.length === 0 ? (
            t('system.nothingMissing')
          ) : (
            <ul className="space-y-3">
              {sandbox.missing.map(({ what, remedy }) => (
                <li key={what}>
                  <span className="flex gap-2">
                    <StateIcon tone="warn" className="mt-1" />
                    {what}
                  </span>
                  <Remedy text={remedy} />
                </li>
              ))}
            </ul>
          )}
        </Fact>
      </Facts>
    </Part>
  )
}

const providerVariables = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY']

function ModelsPart({ models }: { models: System['models'] }) {
  const { t } = useTexts()
  const may = useMay()
  return (
    <Part title={t('system.models')}>
      <Facts>
        <Fact name={t('system.default')}>
          <span className="flex flex-wrap items-center gap-2">
            <span className="font-mono text-sm">{models.default}</span>
            {models.offline && <Tag tone="warn">{t('run.offline')}</Tag>}
          </span>
        </Fact>
        <Fact name={t('system.available')}>
          <ul className="space-y-0.5">
            {models.available.map((model) => (
              <li key={model} className="font-mono text-sm">
                {model}
              </li>
            ))}
          </ul>
        </Fact>
      </Facts>
      {models.offline && (
        <div className="mt-4">
          <Note tone="warn" title={t('system.offline')}>
            <p className="text-sm text-ink-2">{t('system.offlineText')}</p>
            <ul className="font-mono text-xs leading-5">
              {providerVariables.map((name) => (
                <li key={name}>{name}</li>
              ))}
            </ul>
            {may('models:call') && (
              <p className="text-sm text-ink-2">
                {t('system.offlineOr')}{' '}
                <AppLink href={paths.providers()} className="rounded-sm text-accent underline underline-offset-2">
                  {t('system.toProviders')}
                </AppLink>
              </p>
            )}
          </Note>
        </div>
      )}
    </Part>
  )
}

function StartupPart({ startup }: { startup: System['startup'] }) {
  const { t, locale } = useTexts()
  const total = startup.reduce((sum, { ms }) => sum + ms, 0)
  const longest = Math.max(1, ...startup.map(({ ms }) => ms))
  return (
    <Part title={t('system.startup')}>
      <table className="w-full text-sm">
        <tbody>
          {startup.map(({ phase, ms }) => (
            <tr key={phase}>
              <th scope="row" className="w-40 py-1 pr-4 text-left font-normal text-ink-2">
                {phase}
              </th>
              <td className="py-1">
                <div className="h-1.5 min-w-px rounded-sm bg-bar-exec" style={{ width: `${(100 * ms) / longest}%` }} />
              </td>
              <td className="w-24 py-1 pl-4 text-right whitespace-nowrap">{formatDuration(ms, locale)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot className="border-t border-line">
          <tr>
            <th scope="row" className="py-1.5 text-left font-medium">
              {t('system.total')}
            </th>
            <td />
            <td className="py-1.5 text-right font-medium whitespace-nowrap">{formatDuration(total, locale)}</td>
          </tr>
        </tfoot>
      </table>
    </Part>
  )
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="grid gap-x-8 gap-y-3 py-6 md:grid-cols-[10rem_minmax(0,1fr)]">
      <h2 className="font-semibold">{title}</h2>
      <div className="min-w-0">{children}</div>
    </section>
  )
}

const Facts = ({ children }: { children: ReactNode }) => <dl className="space-y-3">{children}</dl>

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid gap-x-6 gap-y-0.5 sm:grid-cols-[11rem_minmax(0,1fr)]">
      <dt className="text-sm text-ink-3">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  )
}

/** A command, to be copied; or a sentence, to be read. */
function Remedy({ text }: { text: string }) {
  const { t } = useTexts()
  const isSentence = /^[A-Z].*\s.*\.$/s.test(text)
  if (isSentence) return <p className="mt-0.5 ml-[22px] text-sm text-ink-2">{text}</p>
  return (
    <p className="mt-1 ml-[22px] flex items-center gap-1 rounded-md border border-line bg-sunken pl-3">
      <span className="sr-only">{t('system.remedy')}: </span>
      <code className="min-w-0 flex-1 py-1 text-xs break-words">{text}</code>
      <CopyButton isIconOnly size="md" getText={() => text} words={{ label: t('common.copy'), done: t('common.copied') }} />
    </p>
  )
}
