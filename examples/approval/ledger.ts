import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** Where a payment provider would be: a file with a line for each payment. Like a provider's, its `payOut` takes a key and pays once for each. */
const Payment = z.object({ key: z.string(), order: z.string(), amountUsd: z.number() })
export type Payment = z.infer<typeof Payment>

const fileIn = (dataDir: string) => join(dataDir, 'payments.jsonl')

export async function refundedBefore(dataDir: string, order: string): Promise<number> {
  return (await payments(dataDir)).filter((payment) => payment.order === order).reduce((sum, { amountUsd }) => sum + amountUsd, 0)
}

export async function payOut(dataDir: string, payment: Payment): Promise<void> {
  if ((await payments(dataDir)).some(({ key }) => key === payment.key)) return
  await mkdir(dataDir, { recursive: true })
  await appendFile(fileIn(dataDir), `${JSON.stringify(payment)}\n`)
}

export async function payments(dataDir: string): Promise<Payment[]> {
  try {
    const text = await readFile(fileIn(dataDir), 'utf8')
    return text.split('\n').flatMap((line) => (line === '' ? [] : Payment.parse(JSON.parse(line))))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [] // Nothing was paid yet.
    throw error
  }
}
