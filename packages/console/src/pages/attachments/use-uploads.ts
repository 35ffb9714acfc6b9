import type { Attachment } from '@longhaul/protocol'
import { useCallback, useEffect, useRef, useState } from 'react'
import { upload } from '../../api/attachments.ts'
import { client } from '../../api/client.ts'
import { randomId } from '../random-id.ts'

/** A file that was chosen: on its way, there, or not taken. */
export type Upload = { key: string; file: File; share: number; attachment?: Attachment; error?: Error }

/** Files for the message that is being written. Each is sent as soon as it is chosen. */
export function useUploads() {
  const [uploads, setUploads] = useState<Upload[]>([])
  const sending = useRef(new Map<string, AbortController>())
  // What is still on its way when the page is left is not wanted any more.
  useEffect(() => {
    const all = sending.current
    return () => all.forEach((controller) => controller.abort())
  }, [])

  const begin = useCallback((one: Upload) => {
    const controller = new AbortController()
    sending.current.set(one.key, controller)
    const change = (part: Partial<Upload>) => {
      if (!controller.signal.aborted) setUploads((before) => before.map((upload) => (upload.key === one.key ? { ...upload, ...part } : upload)))
    }
    upload(one.file, (share) => change({ share }), controller.signal)
      .then((attachment) => change({ attachment, share: 1 }))
      .catch((error: unknown) => change({ error: error instanceof Error ? error : new Error(String(error)) }))
      .finally(() => sending.current.delete(one.key))
  }, [])

  const add = useCallback(
    (files: Iterable<File>) => {
      const added = [...files].map((file): Upload => ({ key: randomId(), file, share: 0 }))
      setUploads((before) => [...before, ...added])
      added.forEach(begin)
    },
    [begin],
  )
  const retry = (one: Upload) => {
    const { error: _error, ...again } = { ...one, share: 0 }
    setUploads((before) => before.map((upload) => (upload.key === one.key ? again : upload)))
    begin(again)
  }
  const remove = (one: Upload) => {
    sending.current.get(one.key)?.abort()
    setUploads((before) => before.filter(({ key }) => key !== one.key))
    // Nobody waits for it: what is not deleted now is deleted after a day.
    if (one.attachment) void client.attachments.delete({ attachmentId: one.attachment.id }).catch(() => {})
  }
  return { uploads, add, retry, remove, clear: () => setUploads([]) }
}
