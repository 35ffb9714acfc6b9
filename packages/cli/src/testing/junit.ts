/** Results as JUnit's XML, which every CI reads. */
export type Tested = { name: string; isPassed: boolean; problems: string[]; durationMs: number }

export function junit(suite: string, results: readonly Tested[]): string {
  const failures = results.filter(({ isPassed }) => !isPassed).length
  const seconds = (ms: number) => (ms / 1_000).toFixed(3)
  const total = results.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const cases = results.map(({ name, isPassed, problems, durationMs }) => {
    const head = `    <testcase classname="${escaped(suite)}" name="${escaped(name)}" time="${seconds(durationMs)}"`
    return isPassed
      ? `${head}/>`
      : `${head}>\n      <failure message="${escaped(problems[0] ?? '')}">${escaped(problems.join('\n'))}</failure>\n    </testcase>`
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${results.length}" failures="${failures}" time="${seconds(total)}">`,
    `  <testsuite name="${escaped(suite)}" tests="${results.length}" failures="${failures}" time="${seconds(total)}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
/** XML has no place for control characters at all. */
const escaped = (text: string): string =>
  text.replaceAll(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd').replaceAll(/[&<>"]/g, (each) => entities[each] ?? each)
