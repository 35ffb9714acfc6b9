/** Names of files as they may stand in a folder, beside others. Pure. */

/** Of UTF-8, so that every file system takes it. */
const nameBytesMax = 200

/** The last part of what was sent, without what a shell, a terminal or a file system could take for something else. */
export function fileNameOf(given: string): string {
  const base = given.normalize('NFC').split(/[\\/]/).at(-1) ?? ''
  const plain = base
    .toWellFormed()
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .replace(/^[\s.-]+/, '')
    .trim()
  const [stem, ending] = parts(plain === '' ? 'file' : plain)
  return `${cut(stem, nameBytesMax - 10 - Buffer.byteLength(ending))}${ending}`
}

/** The name itself, or with the first number that makes it differ from all others, in whatever case they are written. */
export function unusedName(name: string, used: Iterable<string>): string {
  const taken = new Set([...used].map((other) => other.toLowerCase()))
  const [stem, ending] = parts(name)
  let unused = name
  for (let number = 2; taken.has(unused.toLowerCase()); number++) unused = `${stem}-${number}${ending}`
  return unused
}

function parts(name: string): [stem: string, ending: string] {
  const ending = name.match(/(?<=.)\.[A-Za-z0-9]{1,10}$/)?.[0] ?? ''
  return [name.slice(0, name.length - ending.length), ending]
}

function cut(text: string, bytesMax: number): string {
  let bytes = 0
  let end = 0
  for (const letter of text) {
    bytes += Buffer.byteLength(letter)
    if (bytes > bytesMax) break
    end += letter.length
  }
  return text.slice(0, end)
}
