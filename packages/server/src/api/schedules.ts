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
import { AppError } from '../kernel/index.ts'
import { isReached, reached } from './reach.ts'

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

export const scheduleImplementations = (schedules: ScheduleService): Implementation[] => {
  const named =
    <Input extends { name: string }, Output>(act: (caller: Caller, input: Input) => Promise<Output>) =>
    async (caller: Caller, input: Input): Promise<Output> => {
      if (caller.agents) reached(caller, await schedules.get(caller, input.name), `schedule ${input.name}`)
      return act(caller, input)
    }
  return [
    implement(setSchedule, async (caller, input) => {
      // A name that another agent's schedule has is not theirs to take.
      if (caller.agents) {
        const before = await schedules.get(caller, input.name).catch(ifAbsent)
        if (before) reached(caller, before, `schedule ${input.name} of yours, and the name is taken`)
      }
      return schedules.set(caller, input)
    }),
    implement(listSchedules, async (caller, input) => {
      const page = await schedules.list(caller, input)
      return { ...page, items: page.items.filter((schedule) => isReached({ agents: caller.agents }, schedule)) }
    }),
    implement(
      getSchedule,
      named((caller, { name }) => schedules.get(caller, name)),
    ),
    implement(
      pauseSchedule,
      named((caller, { name }) => schedules.pause(caller, name)),
    ),
    implement(
      resumeSchedule,
      named((caller, { name }) => schedules.resume(caller, name)),
    ),
    implement(
      fireSchedule,
      named((caller, { name }) => schedules.fire(caller, name)),
    ),
    implement(
      listFires,
      named((caller, input) => schedules.fires(caller, input)),
    ),
    implement(
      deleteSchedule,
      named((caller, { name }) => schedules.delete(caller, name)),
    ),
  ]
}

function ifAbsent(error: unknown): undefined {
  if (!(error instanceof AppError && error.code === 'not_found')) throw error
}
