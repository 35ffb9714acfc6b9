import { agent } from '@longhaul/sdk'

export default agent({ description: 'Finds out one thing from the notes.', stockTools: [], turnsMax: 10 })
