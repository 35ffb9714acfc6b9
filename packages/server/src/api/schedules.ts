import {
  type Fire,
  type Schedule,
  deleteSchedule,
  fireSchedule,
  getSchedule,
  listFires,
  listSchedules,
  pauseSchedule,
  resumeSchedule,
  setSchedule,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller } from '../identity/index.ts'
import { type Implementation, implement } from './implement.ts'

/** All that take a name throw `not_found`, also for a schedule that this caller may not see. */
export type ScheduleService = {
  set(caller: Caller, input: z.output<(typeof setSchedule)['input']>): Promise<Schedule>
  list(caller: Caller, input: z.output<(typeof listSchedules)['input']>): Promise<z.output<(typeof listSchedules)['output']>>
  get(caller: Caller, name: string): Promise<Schedule>
  pause(caller: Caller, name: string): Promise<Schedule>
  resume(caller: Caller, name: string): Promise<Schedule>
  delete(caller: Caller, name: string): Promise<Schedule>
  fire(caller: Caller, name: string): Promise<Fire>
  fires(caller: Caller, input: z.output<(typeof listFires)['input']>): Promise<z.output<(typeof listFires)['output']>>
}

export const scheduleImplementations = (schedules: ScheduleService): Implementation[] => [
  implement(setSchedule, (caller, input) => schedules.set(caller, input)),
  implement(listSchedules, (caller, input) => schedules.list(caller, input)),
  implement(getSchedule, (caller, { name }) => schedules.get(caller, name)),
  implement(pauseSchedule, (caller, { name }) => schedules.pause(caller, name)),
  implement(resumeSchedule, (caller, { name }) => schedules.resume(caller, name)),
  implement(fireSchedule, (caller, { name }) => schedules.fire(caller, name)),
  implement(listFires, (caller, input) => schedules.fires(caller, input)),
  implement(deleteSchedule, (caller, { name }) => schedules.delete(caller, name)),
]
