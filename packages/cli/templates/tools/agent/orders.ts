export type Order = { id: number; customer: string; totalUsd: number; state: 'open' | 'sent' | 'cancelled' }

/** Made-up orders. Replace this with your own system. */
const orders: Order[] = [
  { id: 1001, customer: 'Ada Lovelace', totalUsd: 120, state: 'sent' },
  { id: 1002, customer: 'Ada Lovelace', totalUsd: 48, state: 'open' },
  { id: 1003, customer: 'Alan Turing', totalUsd: 310, state: 'open' },
]

export const findOrders = (customer?: string): Order[] =>
  orders.filter((order) => customer === undefined || order.customer.toLowerCase().includes(customer.toLowerCase()))

export function cancelOrder(id: number): Order {
  const order = orders.find((known) => known.id === id)
  if (!order) throw new Error(`There is no order ${id}.`)
  if (order.state !== 'open') throw new Error(`Order ${id} is ${order.state}; only open ones can be cancelled.`)
  order.state = 'cancelled'
  return order
}
