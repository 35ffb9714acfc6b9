export { offlinePlanner } from './model.ts'
