/** What the models of a step are given of its prompt's attachments: references until the request is made, bytes in it. */
import type { Prompt } from '@longhaul/protocol'
import type { StepContext } from '../../engine/index.ts'
import { type GivenFiles, attachmentsIn, takesFile } from '../../gateway/index.ts'
import type { Money } from '../../gateway/money/index.ts'
import type { Attachments } from './attachments.ts'

/** A provider takes no larger picture, and no larger request. What does not fit is in the sandbox like everything else. The latest files go first. */
const imageBytesMax = 5_000_000
const requestBytesMax = 20_000_000
/** Tokens that a picture or a page may count for although it is short. */
const tokensMin = 6_000

export type FilesFor = (model: string) => Promise<GivenFiles>
type Ports = { attachments: Pick<Attachments, 'usable' | 'read'>; money: Pick<Money, 'capabilitiesOf'> }

/** Undefined when the prompt names no file. */
export function giveFiles(prompt: Prompt, { run }: StepContext, { attachments, money }: Ports): FilesFor | undefined {
  const parts = attachmentsIn(prompt).reverse()
  if (parts.length === 0) return undefined
  // Whether a run may read a file is the server's word, not its prompt's: code may write what it likes there.
  const usable = attachments.usable(run).then((files) => new Map(files.map((file) => [file.id, file])))
  usable.catch(() => {}) // Whoever asks hears of it.
  const contents = new Map<string, Promise<Buffer | undefined>>()
  const read = (digest: string) => {
    const known = contents.get(digest) ?? attachments.read(run.tenantId, { digest })
    contents.set(digest, known)
    return known
  }
  const given = new Map<string, Promise<GivenFiles>>()
  async function give(model: string): Promise<GivenFiles> {
    const [known, capabilities] = await Promise.all([usable, money.capabilitiesOf(run.tenantId, model)])
    const files = new Map<string, { name: string; mediaType: string; content?: Buffer | undefined }>()
    let left = requestBytesMax
    for (const { id } of parts) {
      const file = known.get(id)
      if (!file || files.has(id)) continue
      const isGiven =
        file.bytes <= left && takesFile(model, capabilities, file.mediaType) && (file.bytes <= imageBytesMax || !file.mediaType.startsWith('image/'))
      const content = isGiven ? await read(file.digest) : undefined
      if (content) left -= content.length
      if (!isGiven || content) files.set(id, { name: file.name, mediaType: file.mediaType, content })
    }
    return files
  }
  return (model) => {
    const known = given.get(model) ?? give(model)
    given.set(model, known)
    return known
  }
}

/** The most that files may add to the input, in bytes of the request, and so in tokens. */
export const bytesOfFiles = (files: GivenFiles): number =>
  [...files.values()].reduce((sum, { content }) => sum + (content ? Math.max(tokensMin, Math.ceil((content.length * 4) / 3)) : 0), 0)
