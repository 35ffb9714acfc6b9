import { readFile, stat, writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Attachment } from '@longhaul/protocol'
import { downloadAttachment, uploadAttachment } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields } from '../show/records.ts'
import { printable } from '../show/text.ts'
import { moment } from '../show/values.ts'

/** Sends files of this machine, one after the other, so that of one that cannot be sent it is known which. */
export async function sendFiles(invocation: Invocation, files: readonly string[], namespace?: string): Promise<Attachment[]> {
  // All are looked for before the first is sent.
  const found = []
  for (const file of files) {
    const path = resolve(invocation.world.folder, file)
    const info = await stat(path).catch(() => undefined) // Absent: told below.
    if (!info) throw new Problem('not_found', `There is no file ${file}.`, 'Give files of this machine.')
    if (!info.isFile()) throw new Problem('invalid', `${file} is not a file.`, 'Attach files one by one; a folder can be packed with tar or zip.')
    found.push(path)
  }
  const client = await invocation.client()
  const { terminal, world } = invocation
  const sent: Attachment[] = []
  try {
    for (const path of found) {
      terminal.status(() => `sending ${printable(basename(path))}`)
      sent.push(
        await uploadAttachment(client, { name: basename(path), content: new Uint8Array(await readFile(path)), namespace }, { signal: world.interrupted }),
      )
    }
  } finally {
    terminal.status(undefined)
  }
  return sent
}

export async function sendAttachment(invocation: Invocation, file: string, { namespace }: { namespace?: string }): Promise<number> {
  for (const attachment of await sendFiles(invocation, [file], namespace)) show(invocation, attachment)
  return exitCodes.done
}

export async function getAttachment(invocation: Invocation, attachmentId: string, { out }: { out?: string }): Promise<number> {
  const client = await invocation.client()
  const attachment = await client.attachments.get({ attachmentId })
  if (out !== undefined) {
    const content = await downloadAttachment(client, attachmentId, { signal: invocation.world.interrupted })
    await writeFile(resolve(invocation.world.folder, out), content, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      throw new Problem('conflict', `${out} is there already.`, 'Give another name, or remove it first.')
    })
  }
  show(invocation, attachment)
  return exitCodes.done
}

export async function deleteAttachment(invocation: Invocation, attachmentId: string): Promise<number> {
  const deleted = await (await invocation.client()).attachments.delete({ attachmentId })
  if (invocation.isJson) invocation.printJson(deleted)
  else invocation.terminal.print(`  The file ${deleted.id} is deleted.`)
  return exitCodes.done
}

function show(invocation: Invocation, attachment: Attachment): void {
  if (invocation.isJson) return invocation.printJson(attachment)
  printFields(invocation, [
    ['attachment', attachment.id],
    ['name', printable(attachment.name)],
    ['kind', attachment.mediaType],
    ['bytes', String(attachment.bytes)],
    ['kept', attachment.expiresAt === null ? 'as long as the run that has it' : `until ${moment(attachment.expiresAt)}, unless a message has it`],
  ])
}
