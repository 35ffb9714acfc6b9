import { useTexts } from '../../i18n/index.ts'
import { PageHead } from '../PageHead.tsx'
import { SchedulesList } from './SchedulesList.tsx'

export function SchedulesPage() {
  const { t } = useTexts()
  return (
    <>
      <PageHead title={t('schedules.title')} lead={t('schedules.lead')} />
      <SchedulesList />
    </>
  )
}
