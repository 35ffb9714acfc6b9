import type { Schedule } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { CirclePause, CirclePlay, Pencil, Trash2, Zap } from 'lucide-react'
import { useState } from 'react'
import { firesQuery } from '../../api/versions.ts'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { formatInstant } from '../../ui/format.ts'
import { StateIcon } from '../../ui/State.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { briefJson } from '../runs/run-facts.ts'
import { ScheduleDialog } from './ScheduleDialog.tsx'

const reasons = ['overlap', 'missed', 'stopped', 'replaced', 'no_version'] as const
const tones = { started: 'good', queued: 'waiting', skipped: 'off' } as const

export function ScheduleDetail({ schedule }: { schedule: Schedule }) {
  const { t, locale } = useTexts()
  const { name, isPaused } = schedule
  const queryClient = useQueryClient()
  const mayManage = usePermission('schedules:manage')
  const fires = useQuery(firesQuery(name))
  const [open, setOpen] = useState<'delete' | 'edit'>()
  const act = useMutation({
    mutationFn: async (what: 'pause' | 'resume' | 'fire') => void (await client.schedules[what]({ name })),
    onSettled: () => Promise.all([queryClient.invalidateQueries({ queryKey: ['schedules'] }), queryClient.invalidateQueries({ queryKey: ['runs'] })]),
  })
  const blocked = mayManage ? undefined : t('common.noPermission', { permission: 'schedules:manage' })
  const declared = schedule.fromVersion === null ? undefined : t('schedules.fromFolder', { agent: schedule.agent, version: schedule.fromVersion })
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap gap-2">
        <Button size="sm" disabledBecause={blocked} isBusy={act.isPending} onClick={() => act.mutate(isPaused ? 'resume' : 'pause')}>
          {isPaused ? <CirclePlay size={13} aria-hidden /> : <CirclePause size={13} aria-hidden />}
          {t(isPaused ? 'schedules.resume' : 'schedules.pause')}
        </Button>
        <Button size="sm" disabledBecause={blocked} isBusy={act.isPending} onClick={() => act.mutate('fire')}>
          <Zap size={13} aria-hidden />
          {t('schedules.fire')}
        </Button>
        <Button size="sm" disabledBecause={blocked ?? declared} onClick={() => setOpen('edit')}>
          <Pencil size={13} aria-hidden />
          {t('schedules.edit')}
        </Button>
        <Button size="sm" look="danger" disabledBecause={blocked ?? declared} onClick={() => setOpen('delete')}>
          <Trash2 size={13} aria-hidden />
          {t('schedules.delete')}
        </Button>
      </div>
      {act.isError && <RequestError error={act.error} />}
      {declared !== undefined && <p className="text-ink-2">{declared}</p>}
      <div className="grid gap-x-10 gap-y-3 sm:grid-cols-2">
        <div className="min-w-0">
          <h3 className="mb-1 text-xs font-medium text-ink-3">{t('schedules.nextFires')}</h3>
          {schedule.nextFires.length === 0 ? (
            <p className="text-ink-2">{t(isPaused ? 'schedules.pausedText' : 'schedules.noNext')}</p>
          ) : (
            <ol className="space-y-0.5">
              {schedule.nextFires.map((at) => (
                <li key={at} className="flex justify-between gap-3">
                  <span>{formatInstant(Date.parse(at), locale)}</span>
                  <span className="text-xs text-ink-3">
                    <Ago at={at} />
                  </span>
                </li>
              ))}
            </ol>
          )}
          <p className="mt-2 text-xs break-words text-ink-3">
            {t('schedules.input')}: {briefJson(schedule.input).slice(0, 200) || '–'} · {t(`schedules.overlaps.${schedule.overlap}`)}
          </p>
        </div>
        <div className="min-w-0">
          <h3 className="mb-1 text-xs font-medium text-ink-3">{t('schedules.lastFires')}</h3>
          {fires.isError && !fires.data && <RequestError error={fires.error} />}
          {fires.data?.items.length === 0 && <p className="text-ink-2">{t('schedules.noFires')}</p>}
          <ol className="space-y-0.5">
            {fires.data?.items.slice(0, 6).map((fire) => (
              <li key={fire.fireAt + fire.noticedAt} className="flex items-center gap-2">
                <StateIcon tone={tones[fire.outcome]} />
                <span className="min-w-0 flex-1 truncate">
                  {fire.runId ? (
                    <AppLink href={paths.run(fire.runId)} className="rounded-sm text-accent hover:underline">
                      {t(`schedules.outcomes.${fire.outcome}`)}
                    </AppLink>
                  ) : (
                    t(`schedules.outcomes.${fire.outcome}`)
                  )}
                  {fire.reason && <span className="text-ink-3"> · {reasonInWords(fire.reason)}</span>}
                </span>
                <span className="text-xs text-ink-3">
                  <Ago at={fire.fireAt} />
                </span>
              </li>
            ))}
          </ol>
        </div>
      </div>
      {open === 'edit' && <ScheduleDialog schedule={schedule} onClose={() => setOpen(undefined)} />}
      {open === 'delete' && (
        <ActionDialog
          title={t('schedules.deleteTitle', { name })}
          action={t('schedules.delete')}
          isDangerous
          changes={['schedules']}
          act={() => client.schedules.delete({ name })}
          onClose={() => setOpen(undefined)}
        >
          <p className="text-sm text-ink-2">{t('schedules.deleteText')}</p>
        </ActionDialog>
      )}
    </div>
  )

  function reasonInWords(reason: string): string {
    const known = reasons.find((one) => one === reason)
    return known ? t(`schedules.reasons.${known}`) : reason
  }
}
