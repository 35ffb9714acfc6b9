import { shown, tool } from '@longhaul/sdk'
import { z } from 'zod'
import { findOrders } from '../orders.ts'

export default tool({
  description: 'Finds orders, of one customer or all.',
  effect: 'none',
  input: z.strictObject({ customer: z.string().max(100).optional().describe('a part of the name is enough') }),
  run({ customer }) {
    const orders = findOrders(customer)
    return shown(orders, {
      type: 'table',
      columns: [
        { name: 'order', type: 'number' },
        { name: 'customer', type: 'text' },
        { name: 'total_usd', type: 'number' },
        { name: 'state', type: 'text' },
      ],
      rows: orders.map(({ id, customer: who, totalUsd, state }) => [id, who, totalUsd, state]),
      rowCount: orders.length,
    })
  },
})
