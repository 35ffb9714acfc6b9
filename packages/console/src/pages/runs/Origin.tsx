import type { ForkChanges, Run } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { Note } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'

const fields = ['instructions', 'model', 'outputTokensMax', 'version', 'input'] as const satisfies readonly (keyof ForkChanges)[]

/** Where a run comes from that did not begin by itself, and whether what it writes takes effect. Absent of all others. */
export function Origin({ run }: { run: Run }) {
  const { t } = useTexts()
  const { fork, imported } = run
  if (imported)
    return (
      <Note title={t('fork.imported')}>
        <p className="text-sm text-ink-2">{t('fork.importedBy', { name: imported.by })}</p>
        <p className="font-mono text-xs break-all text-ink-3">{imported.runId}</p>
      </Note>
    )
  if (!fork) return run.withholdsWrites ? <Note title={t('fork.withholds')} /> : null
  const changed = fields.filter((field) => fork.changes[field] !== undefined)
  return (
    <Note
      title={t(fork.op === null ? 'fork.ofBeginning' : 'fork.ofStep', { op: fork.op ?? '' })}
      action={
        <>
          <AppLink href={paths.compare(fork.runId, run.id)} className={buttonClass('secondary', 'sm')}>
            {t('compare.withOriginal')}
          </AppLink>
          <AppLink href={paths.run(fork.runId, fork.op === null ? {} : { step: fork.op })} className={buttonClass('secondary', 'sm')}>
            {t('fork.toOriginal')}
          </AppLink>
        </>
      }
    >
      <p className="text-sm text-ink-2">
        {changed.length === 0 ? t('fork.unchanged') : t('fork.changed', { what: changed.map((field) => t(`fork.fields.${field}`)).join(t('fork.and')) })}{' '}
        {t(fork.isLive ? 'fork.isLive' : 'fork.isWithheld')}
      </p>
    </Note>
  )
}
