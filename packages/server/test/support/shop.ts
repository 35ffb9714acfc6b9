/** A database of somebody else's, for tools that read it: 300 orders, at an address of the network wherever PostgreSQL listens. */
import { type AddressInfo, connect, createServer } from 'node:net'
import { type Db, identifier, sql } from '../../src/db/index.ts'
import { newId } from '../../src/kernel/index.ts'
import { makeDatabase } from './postgres.ts'

export type Shop = AsyncDisposable & {
  owner: Db
  /** With a user that may read and write its table, and nothing of the host. */
  address: string
  /** With a user that may do anything. */
  mightyAddress: string
}

export async function openShop(): Promise<Shop> {
  const { url, owner, ...database } = await makeDatabase()
  const at = new URL(url)
  const reader = `reader_${newId().replaceAll('-', '')}`
  const proxy = createServer((socket) => {
    const folder = at.searchParams.get('host')
    const to = connect(folder === null ? { host: at.hostname, port: Number(at.port || 5432) } : { path: `${folder}/.s.PGSQL.${at.port || 5432}` })
    socket.pipe(to).pipe(socket)
    for (const end of [socket, to]) end.on('error', () => void (socket.destroy(), to.destroy()))
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  await owner.rows(sql`create table orders (id int, customer text, placed date, total numeric, details jsonb)`)
  await owner.rows(sql`insert into orders select n, 'customer ' || n, date '2025-01-31', 12345678901234567890.5, '{"a":[1]}' from generate_series(1, 300) n`)
  await owner.rows(sql`create role ${identifier(reader)} login password 'pw'`)
  await owner.rows(sql`grant select, insert, delete on orders to ${identifier(reader)}`)
  const addressOf = (user: string, password: string) => `postgres://${user}:${password}@127.0.0.1:${(proxy.address() as AddressInfo).port}${at.pathname}`
  return {
    owner,
    address: addressOf(reader, 'pw'),
    mightyAddress: addressOf(at.username, at.password),
    async [Symbol.asyncDispose]() {
      proxy.close()
      await owner.rows(sql`drop owned by ${identifier(reader)}`)
      await owner.rows(sql`drop role ${identifier(reader)}`)
      await database[Symbol.asyncDispose]()
    },
  }
}
