export { openHooks } from './hooks.ts'
export type { HookAnswer, Hooks } from './hooks.ts'
