import type { SandboxProcess } from '@longhaul/protocol'
import { useEffect, useState } from 'react'
import { follow } from '../../api/sandboxes.ts'

export type Output = { pieces: { stream: 'stdout' | 'stderr'; text: string }[]; isCut: boolean; problem: unknown }

/** What is kept on the page of one command's output; the server keeps more. */
const charactersMax = 200_000
/** What came within this time is drawn together. */
const batchMs = 50
const nothing: Output = { pieces: [], isCut: false, problem: undefined }

/** What a command writes, as it comes, to its end; `onEnd` hears how it ended. */
export function useOutput(process: Pick<SandboxProcess, 'id' | 'sandboxId'>, onEnd: (process: SandboxProcess) => void): Output {
  const { id, sandboxId } = process
  const [output, setOutput] = useState(nothing)
  useEffect(() => {
    const leaving = new AbortController()
    setOutput(nothing)
    let held: Output = nothing
    let timer: ReturnType<typeof setTimeout> | undefined
    const show = () => {
      timer = undefined
      setOutput(held)
    }
    async function read(): Promise<void> {
      try {
        const frames = follow({ id, sandboxId }, leaving.signal)
        for (;;) {
          const { done, value } = await frames.next()
          if (done) {
            show()
            return onEnd(value)
          }
          held = 'dropped' in value ? { ...held, isCut: true } : append(held, value.stream, value.text)
          timer ??= setTimeout(show, batchMs)
        }
      } catch (problem) {
        if (!leaving.signal.aborted) setOutput({ ...held, problem })
      }
    }
    void read()
    return () => {
      leaving.abort()
      clearTimeout(timer)
    }
    // `onEnd` is of the component that is drawn; the command is what is followed.
  }, [id, sandboxId])
  return output
}

function append({ pieces, isCut, problem }: Output, stream: 'stdout' | 'stderr', text: string): Output {
  const last = pieces.at(-1)
  const next = last?.stream === stream ? [...pieces.slice(0, -1), { stream, text: last.text + text }] : [...pieces, { stream, text }]
  let excess = next.reduce((sum, piece) => sum + piece.text.length, 0) - charactersMax
  if (excess <= 0) return { pieces: next, isCut, problem }
  while (next[0] && next[0].text.length <= excess) excess -= next.shift()?.text.length ?? 0
  if (next[0]) next[0] = { stream: next[0].stream, text: next[0].text.slice(excess) }
  return { pieces: next, isCut: true, problem }
}
