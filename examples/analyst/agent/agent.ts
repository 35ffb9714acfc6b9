import { agent } from '@longhaul/sdk'
import { ensureWarehouse, today } from '../warehouse/index.ts'

export default agent({
  description: 'Answers questions about a subscription business from its data warehouse, with the table, the SQL and a chart.',
  instructions: () => `For every question, today is ${today}, whenever it is asked: the data of this business end there.`,
  examples: [
    'What was our ARR at the end of last quarter, by region?',
    'Which industries had the highest churn rate in the last 12 months?',
    '上个季度各地区的新增 MRR 是多少？',
    'How did support response times develop, month by month?',
  ],
  async prepare({ dataDir, log }) {
    const { made, ms } = await ensureWarehouse(dataDir)
    log(made ? `Made the warehouse in ${(ms / 1_000).toFixed(1)} s.` : 'The warehouse is there.')
  },
})
