import type { Schedule } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { schedulesQuery } from '../../api/agents.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon, Tag } from '../../ui/State.tsx'
import { RowToggle } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { calendarInWords } from './calendar.ts'
import { ScheduleDetail } from './ScheduleDetail.tsx'
import { ScheduleDialog } from './ScheduleDialog.tsx'

/** All schedules, or those of one agent. A line opens to its next and its last fires. */
export function SchedulesList({ agent }: { agent?: string }) {
  const { t, locale } = useTexts()
  const schedules = useQuery(schedulesQuery())
  const mayManage = usePermission('schedules:manage')
  const [open, setOpen] = useState<string>()
  const [isMaking, setMaking] = useState(false)
  const rows = schedules.data?.items.filter((one) => agent === undefined || one.agent === agent)
  const add = (
    <Button size="sm" disabledBecause={mayManage ? undefined : t('common.noPermission', { permission: 'schedules:manage' })} onClick={() => setMaking(true)}>
      <Plus size={13} aria-hidden />
      {t('schedules.add')}
    </Button>
  )
  const isEmpty = rows?.length === 0
  const list = (
    <>
      <Listing<Schedule>
        label={t('schedules.title')}
        query={schedules}
        rows={rows}
        idOf={({ name }) => name}
        empty={
          <EmptyState title={t('schedules.none')} action={add}>
            {t('schedules.noneText')}
          </EmptyState>
        }
        detailOf={(schedule) => (schedule.name === open ? <ScheduleDetail schedule={schedule} /> : undefined)}
        columns={[
          {
            id: 'name',
            head: t('schedules.name'),
            className: 'sm:w-52',
            cell: ({ name, isPaused, fromVersion }) => (
              <span className="flex min-w-0 items-center gap-2">
                <StateIcon tone={isPaused ? 'off' : 'good'} />
                <span className="sr-only">{t(isPaused ? 'schedules.paused' : 'schedules.active')}</span>
                <RowToggle id={name} open={open} onOpen={setOpen} className="truncate font-medium">
                  {name}
                </RowToggle>
                {fromVersion !== null && <Tag>{t('agents.declared')}</Tag>}
              </span>
            ),
          },
          ...(agent === undefined
            ? [
                {
                  id: 'agent',
                  head: t('runs.agent'),
                  className: 'w-36 max-md:hidden',
                  cell: (one: Schedule) => <span className="block truncate text-ink-2">{one.agent}</span>,
                },
              ]
            : []),
          {
            id: 'calendar',
            head: t('schedules.when'),
            className: 'max-sm:hidden',
            cell: ({ calendar }) => <span className="block truncate text-ink-2">{calendarInWords(calendar, t, locale)}</span>,
          },
          {
            id: 'next',
            head: t('schedules.next'),
            isRight: true,
            className: 'w-36',
            cell: ({ nextFires: [first], isPaused }) =>
              first ? <Ago at={first} /> : <span className="text-ink-3">{isPaused ? t('schedules.paused') : '–'}</span>,
          },
        ]}
      />
      {schedules.data?.isCut && <p className="mt-2 text-sm text-ink-3">{t('schedules.cut')}</p>}
      {isMaking && <ScheduleDialog agent={agent} onClose={() => setMaking(false)} />}
    </>
  )
  return agent === undefined ? (
    <>
      <PageHead title={t('schedules.title')} lead={t('schedules.lead')} actions={isEmpty ? undefined : add} />
      {list}
    </>
  ) : (
    <Section id="schedules" title={t('schedules.title')} aside={isEmpty ? undefined : add}>
      {list}
    </Section>
  )
}
