/** OpenAI's client asks for base64 and reads whatever comes as such: a list of numbers would become other numbers without an error. */

/** Gives each embedding the encoding that was asked for. True when something was changed. */
export function fitEmbeddings(answer: Record<string, unknown>, asked: unknown): boolean {
  let isChanged = false
  for (const item of Array.isArray(answer['data']) ? (answer['data'] as { embedding?: unknown }[]) : []) {
    if (asked === 'base64' && isNumbers(item.embedding)) {
      item.embedding = Buffer.from(Float32Array.from(item.embedding).buffer).toString('base64')
      isChanged = true
    } else if (asked !== 'base64' && typeof item.embedding === 'string') {
      item.embedding = fromBase64(item.embedding)
      isChanged = true
    }
  }
  return isChanged
}

const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every((each) => typeof each === 'number')

/** Four bytes each, the least significant first. */
function fromBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64')
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(i * 4))
}
