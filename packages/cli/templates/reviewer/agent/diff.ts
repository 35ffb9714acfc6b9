/** Numbers the lines of a unified diff as they stand in the new file. What was taken away has no number. Other text stays as it is. */
export function numbered(text: string): string {
  let next: number | undefined
  return text
    .split('\n')
    .map((line) => {
      const hunk = /^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line)
      if (hunk) next = Number(hunk[1])
      else if (/^(diff |index |--- |\+\+\+ )/.test(line)) next = undefined
      if (hunk || next === undefined || !/^[-+ ]/.test(line)) return line
      const number = line.startsWith('-') ? '' : String(next++)
      return `${number.padStart(6)} ${line}`
    })
    .join('\n')
}
