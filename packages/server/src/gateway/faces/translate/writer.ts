/** How a face writes an answer in its own language, from blocks. */
import type { Block, BlockEvent } from './blocks.ts'

export type Writer = {
  /** The first events of a stream. */
  begin(): string
  /** What an event adds to the stream; with `finish`, everything to its end. */
  write(event: BlockEvent): string
  /** The whole answer, for a caller who does not stream. After `finish`. */
  whole(blocks: readonly Block[], finish: Finish): object
  /** How many events were written so far. */
  count(): number
}

export type Finish = Extract<BlockEvent, { type: 'finish' }>

/** What all answers say of themselves. */
export type Naming = { id: string; model: string; createdAtSeconds: number }
