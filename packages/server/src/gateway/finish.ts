import type { LanguageModelV4FinishReason } from '@ai-sdk/provider'

/** The stream ended, and the provider never said that its answer had: not every package tells the two apart. */
export const isBrokenOff = ({ unified, raw }: LanguageModelV4FinishReason): boolean => unified === 'interrupted' || (unified === 'other' && raw === undefined)
