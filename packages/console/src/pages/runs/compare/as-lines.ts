/** A value as text whose lines can be compared. */
export const asLines = (value: unknown): string => (value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value, null, 2))
