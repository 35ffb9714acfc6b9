// A question that leans on the one before: "and by product?", "what about Europe?", 那去年呢？
import type { Frame } from './frame.ts'

/** The earlier question with everything replaced that the new one says. */
export function continueFrom(earlier: Frame, now: Frame): Frame {
  const kept = earlier.filters.filter((old) => !now.filters.some((filter) => filter.ref === old.ref))
  const isSplit = now.groups.length > 0 || now.grain !== undefined
  return {
    ...earlier,
    ...now,
    groups: isSplit ? now.groups : earlier.groups,
    ...(isSplit ? {} : earlier.grain && { grain: earlier.grain }),
    filters: [...kept, ...now.filters],
    times: now.times.length > 0 ? now.times : earlier.times,
    having: now.having.length > 0 ? now.having : earlier.having,
    assumptions: [...now.assumptions, { kind: 'follow-up' }],
  }
}
