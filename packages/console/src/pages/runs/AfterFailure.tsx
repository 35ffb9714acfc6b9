import type { Run } from '@longhaul/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { RotateCw } from 'lucide-react'
import { client } from '../../api/client.ts'
import { useMay, usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** What can be done about a run that failed: mend the cause, and start it anew with the same input. */
export function AfterFailure({ run }: { run: Run }) {
  const { t } = useTexts()
  const router = useRouter()
  const queryClient = useQueryClient()
  const may = useMay()
  const mayWrite = usePermission('runs:write')
  const again = useMutation({
    mutationFn: async () => {
      const { done, left } = await client.attention.retry({ ids: [run.id] })
      if (done[0]) return done[0].runId
      throw new Error(left[0]?.problem ?? t('run.againGone'))
    },
    onSuccess: (runId) => router.navigate({ href: paths.run(runId) }),
    onSettled: () => Promise.all(['attention', 'runs'].map((key) => queryClient.invalidateQueries({ queryKey: [key] }))),
  })
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap gap-2">
        {run.failure?.code === 'over_budget' && may('money:read') && (
          <AppLink href={paths.budgets()} className={buttonClass('secondary')}>
            {t('money.raise')}
          </AppLink>
        )}
        <Button
          disabledBecause={mayWrite ? undefined : t('common.noPermission', { permission: 'runs:write' })}
          isBusy={again.isPending}
          onClick={() => again.mutate()}
        >
          <RotateCw size={14} aria-hidden />
          {t('run.again')}
        </Button>
      </div>
      {again.isError && <RequestError error={again.error} />}
    </div>
  )
}
