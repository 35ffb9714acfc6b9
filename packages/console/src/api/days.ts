/** The beginning of a day as the reader's clock has it, as an instant; `addDays` later. Undefined for what is no day. */
export function instantOf(day: string | undefined, addDays = 0): string | undefined {
  const date = day ? new Date(`${day}T00:00:00`) : undefined
  if (!date || Number.isNaN(date.getTime())) return undefined
  date.setDate(date.getDate() + addDays)
  return date.toISOString()
}
