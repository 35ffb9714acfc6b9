import { SchedulesList } from './SchedulesList.tsx'

export const SchedulesPage = () => <SchedulesList />
