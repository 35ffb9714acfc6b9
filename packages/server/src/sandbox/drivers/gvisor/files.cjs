// Runs inside, in a container of its own: file work where links, pipes and devices of hostile code lead nowhere but inside.
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { O_RDONLY, O_WRONLY, O_CREAT, O_NONBLOCK } = fs.constants

function openRegular(file, flags) {
  const descriptor = fs.openSync(file, flags | O_NONBLOCK, 0o644)
  if (fs.fstatSync(descriptor).isFile()) return descriptor
  fs.closeSync(descriptor)
  throw Object.assign(new Error(`${file} is not a regular file.`), { code: 'EINVAL' })
}

const actions = {
  write({ files }) {
    for (const { path: file, base64 } of files) {
      fs.mkdirSync(path.dirname(file), { recursive: true })
      const descriptor = openRegular(file, O_WRONLY | O_CREAT)
      fs.ftruncateSync(descriptor)
      fs.writeFileSync(descriptor, Buffer.from(base64, 'base64'))
      fs.closeSync(descriptor)
    }
    return { action: 'write', count: files.length }
  },
  read({ path: file, bytesMax }) {
    const descriptor = openRegular(file, O_RDONLY)
    const { size } = fs.fstatSync(descriptor)
    const bytes = Buffer.alloc(Math.min(size, bytesMax))
    let length = 0
    for (let count = 1; count > 0 && length < bytes.length; length += count) count = fs.readSync(descriptor, bytes, length, bytes.length - length, null)
    return { action: 'read', base64: bytes.toString('base64', 0, length), bytes: size, isTruncated: length < size }
  },
  list({ path: folder, entriesMax }) {
    const entries = fs.readdirSync(folder, { withFileTypes: true }).slice(0, entriesMax)
    return {
      action: 'list',
      entries: entries
        .map((entry) => ({
          name: entry.name,
          type: entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other',
          bytes: fs.lstatSync(path.join(folder, entry.name), { throwIfNoEntry: false })?.size ?? 0,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    }
  },
}

let answer
try {
  const request = JSON.parse(fs.readFileSync(0, 'utf8'))
  answer = { result: actions[request.action](request) }
} catch (error) {
  answer = { code: String(error.code ?? 'unknown').slice(0, 64), message: String(error.message).slice(0, 1000) }
}
process.stdout.write(JSON.stringify(answer))
