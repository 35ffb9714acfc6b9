/** Whether each word that is sought begins or is within a word of the name. */
export function matches(name: string, sought: string): boolean {
  const lower = name.toLowerCase()
  return sought
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word))
}
