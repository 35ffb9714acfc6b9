import { AppError } from '../kernel/index.ts'

/** The cursor of a stream whose frames are numbered. It wins over the input, which is still the one of the first time. */
export function numberOf(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined
  if (!/^\d{1,15}$/.test(cursor)) throw new AppError('invalid', 'Last-Event-ID: must be the number of an event or a piece of output.')
  return Number(cursor)
}
