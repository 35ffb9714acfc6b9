export { profileOf, reportAccess, type AccessReport } from './access.ts'
export type { Cell, Column } from './cells.ts'
export { runQuery, type QueryProblem, type QueryResult } from './run.ts'
