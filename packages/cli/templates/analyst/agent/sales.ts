/** Made-up sales, in a database of SQLite in memory. Replace it by yours. */
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'

const regions = ['North', 'South', 'West']
const products = [
  { name: 'notebook', priceUsd: 4 },
  { name: 'pen', priceUsd: 1.5 },
  { name: 'bag', priceUsd: 30 },
]

function open(): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  database.exec('create table sales (day text, region text, product text, units integer, revenue_usd real)')
  const insert = database.prepare('insert into sales values (?, ?, ?, ?, ?)')
  for (let month = 1; month <= 6; month++)
    for (const [r, region] of regions.entries())
      for (const [p, { name, priceUsd }] of products.entries()) {
        const units = 10 * month + 7 * r + 3 * p
        insert.run(`2025-${String(month).padStart(2, '0')}-${String(5 + r).padStart(2, '0')}`, region, name, units, units * priceUsd)
      }
  database.exec('pragma query_only = on')
  return database
}

let database: DatabaseSync | undefined

export type Row = Record<string, SQLOutputValue>

/** One statement that only reads. Throws what SQLite says. */
export function query(sql: string): Row[] {
  database ??= open()
  return database.prepare(sql).all()
}
