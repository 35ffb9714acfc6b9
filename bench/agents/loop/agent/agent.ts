import { agent } from '@longhaul/sdk'

export default agent({ description: 'Does what its scripted model says, for the measurement of the loop.', stockTools: [], turnsMax: 1_000 })
