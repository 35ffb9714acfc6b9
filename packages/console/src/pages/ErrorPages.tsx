import type { ErrorComponentProps } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { toProblem } from '../api/errors.ts'
import { useTexts } from '../i18n/index.ts'
import { paths } from '../paths.ts'
import { Button, buttonClass } from '../ui/Button.tsx'
import { ErrorNote } from '../ui/Notes.tsx'
import { AppLink } from './AppLink.tsx'

export function MissingPage() {
  const { t } = useTexts()
  return (
    <main className="mx-auto max-w-xl space-y-3 px-4 py-24">
      <h1 className="text-2xl font-semibold">{t('error.missingPage')}</h1>
      <p className="text-ink-2">{t('error.missingPageText')}</p>
      <AppLink href={paths.home()} className={buttonClass('secondary')}>
        {t('overview.title')}
      </AppLink>
    </main>
  )
}

export function CrashPage({ error }: ErrorComponentProps) {
  const { t } = useTexts()
  return (
    <main className="mx-auto max-w-2xl px-4 py-24">
      <ErrorNote
        title={t('error.crash')}
        cause={toProblem(error).message}
        remedy={t('error.crashText')}
        action={<Button onClick={() => location.reload()}>{t('error.reload')}</Button>}
      />
    </main>
  )
}

/** A request that failed: what, why, and what to do about it. */
export function RequestError({ error, title, action }: { error: unknown; title?: string; action?: ReactNode }) {
  const { t } = useTexts()
  const problem = toProblem(error)
  return (
    <ErrorNote
      title={title ?? t('error.title')}
      cause={problem.message}
      remedy={t(`error.remedy.${problem.code}`)}
      fine={problem.requestId && t('error.request', { id: problem.requestId })}
      action={action}
    />
  )
}
