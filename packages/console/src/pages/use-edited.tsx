import { ApiError } from '@longhaul/sdk/client'
import type { CallOptions } from '@longhaul/sdk/client'
import { type ReactNode, useState } from 'react'
import { useTexts } from '../i18n/index.ts'
import { DiffView } from './DiffView.tsx'

type Tagged = { etag?: string | undefined }
/** `load`: it as it is now. */
export type EditedThing<Thing extends Tagged = Tagged> = { shown: Thing | undefined; load: () => Promise<Thing | undefined> }

/**
 * For a form that changes what somebody else may be changing: saves only over what the form was filled from, or what has been shown since. What was
 * written stays in the form; `conflict` says what the other one changed.
 */
export function useEdited<Thing extends Tagged>({
  shown,
  load,
}: EditedThing<Thing>): {
  save: <Result>(act: (condition: CallOptions) => Promise<Result>) => Promise<Result>
  conflict: ReactNode
} {
  const { t } = useTexts()
  const [base, setBase] = useState(shown) // As the form began: the page behind it may have read it anew.
  const [seen, setSeen] = useState<{ before: Thing; now: Thing }>()
  const current = seen?.now ?? base
  return {
    async save(act) {
      try {
        return await act(current ? { ifMatch: current.etag } : { ifAbsent: true })
      } catch (error) {
        const now = current && isChanged(error) ? await load() : undefined
        if (current && now) setSeen({ before: current, now })
        if (current && isChanged(error) && !now) setBase(undefined) // It is gone: saving makes it anew.
        throw error
      }
    },
    conflict: seen && (
      <div className="space-y-2">
        <p className="text-sm text-ink-2">{t('admin.changedMeanwhile')}</p>
        <DiffView label={t('admin.whatChanged')} before={written(seen.before)} after={written(seen.now)} />
      </div>
    ),
  }
}

const isChanged = (error: unknown): boolean => error instanceof ApiError && error.code === 'precondition_failed'

const written = (thing: Tagged): string => JSON.stringify({ ...thing, etag: undefined }, null, 2)
