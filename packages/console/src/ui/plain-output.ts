/** What a program wrote for a terminal, as lines to read: without colours and cursor moves, a line that was written over as it was last. Pure. */
// oxlint-disable-next-line no-control-regex -- They are what is looked for.
const sequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g

export const plainOutput = (text: string): string =>
  text
    .replace(sequences, '')
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => {
      const pieces = line.split('\r').filter(Boolean)
      return pieces.at(-1) ?? ''
    })
    .join('\n')
