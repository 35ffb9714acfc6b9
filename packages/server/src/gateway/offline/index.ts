import type { LanguageModelV4 } from '@ai-sdk/provider'
export function offlinePlanner(): LanguageModelV4 { return { specificationVersion: 'v4', provider: 'offline', modelId: 'offline/planner', supportedUrls: {}, doGenerate: async () => { throw new Error('not here') }, doStream: async () => { throw new Error('not here') } } as unknown as LanguageModelV4 }
