import type { Agent, Deployment } from '@longhaul/protocol'
import type { Tone } from '../../ui/State.tsx'

export const agentTones: Record<Agent['status'], Tone> = { starting: 'active', ready: 'good', broken: 'bad' }
export const deploymentTones: Record<Deployment['state'], Tone> = { live: 'good', canary: 'waiting', superseded: 'idle', rolled_back: 'warn' }
