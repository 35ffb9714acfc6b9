import type { DuckDBConnection } from '@duckdb/node-api'
import { z } from 'zod'
import { allowedFunctions, allowedTableFunctions, clockFunctions, clockWords, sessionWords } from './functions.ts'

/** What the guard says of a text: the names of all columns it mentions, or why it may not run. */
export type Verdict = { ok: true; columnNames: ReadonlySet<string> } | { ok: false; kind: 'refused' | 'sql'; message: string }

const Parsed = z.union([
  z.object({ error: z.literal(false), statements: z.array(z.object({ node: z.unknown(), named_param_map: z.array(z.unknown()).default([]) })) }),
  z.object({ error: z.literal(true), error_type: z.string(), error_message: z.string() }),
])

const sqlLengthMax = 20_000

/**
 * Decides whether a text is one SELECT over the allowed tables that calls allowed functions only. The decision is made on the parse tree of the very parser
 * that will run the text, so nothing can be read in two ways. Every kind of node must be known to be harmless: what is unknown is refused.
 */
export async function inspect(connection: DuckDBConnection, sql: string, tables: ReadonlySet<string>, today: string): Promise<Verdict> {
  if (sql.length > sqlLengthMax) return refused(`The query is longer than ${sqlLengthMax} characters.`)
  // DuckDB is given a C string to run: after a NUL it would run less than was parsed.
  if (/(?![\t\n\r])\p{Cc}/u.test(sql)) return refused('The query contains control characters.')
  const parsed = Parsed.parse(JSON.parse(await serialize(connection, sql)))
  if (parsed.error)
    return parsed.error_type === 'parser'
      ? { ok: false, kind: 'sql', message: parsed.error_message }
      : refused('Only a SELECT statement may run here. (For a PIVOT, use aggregates with FILTER.)')
  const [statement, second] = parsed.statements
  if (!statement) return refused('There is no statement.')
  if (second) return refused('Only one statement may run at a time.')
  if (statement.named_param_map.length > 0) return refused('Parameters have no values here: write the values.')
  const walk: Walk = { tables, today, columnNames: new Set() }
  const problem = check(statement.node, walk, new Set())
  return problem === undefined ? { ok: true, columnNames: walk.columnNames } : refused(problem)
}

const refused = (message: string): Verdict => ({ ok: false, kind: 'refused', message })

async function serialize(connection: DuckDBConnection, sql: string): Promise<string> {
  const reader = await connection.runAndReadAll('select json_serialize_sql($1::varchar)::varchar', [sql])
  return String(reader.getRows()[0]?.[0])
}

type Walk = { tables: ReadonlySet<string>; today: string; columnNames: Set<string> }
type Node = Readonly<Record<string, unknown>>

/** Names of the queries of `with` that a place in the tree can see. */
type Scope = ReadonlySet<string>

/** Looks at a node and all below it. Returns what is wrong, or nothing. */
function check(value: unknown, walk: Walk, scope: Scope): string | undefined {
  if (Array.isArray(value)) return firstProblem(value, (item) => check(item, walk, scope))
  if (!isNode(value)) return undefined
  if (value.cte_map !== undefined) return checkQuery(value, walk, scope)
  return checkNode(value, walk, scope) ?? checkChildren(value, walk, scope)
}

const checkChildren = (node: Node, walk: Walk, scope: Scope, except: readonly string[] = []) =>
  firstProblem(Object.entries(node), ([key, child]) => (except.includes(key) ? undefined : check(child, walk, scope)))

/** A query with its `with` clause: each of its queries sees those before it, and itself only in the second half of a recursive one. */
function checkQuery(node: Node, walk: Walk, outer: Scope): string | undefined {
  if (!queryTypes.has(text(node.type))) return `This kind of query is not allowed here: ${text(node.type)}.`
  const scope = new Set(outer)
  for (const { key, value } of CteMap.parse(node.cte_map).map) {
    const name = key.toLowerCase()
    if (!plainName.test(name) || catalogueName.test(name)) return `A query of WITH may not be called "${key}".`
    const inner = isNode(value.query) && isNode(value.query.node) ? value.query.node : undefined
    const problem = inner?.type === 'RECURSIVE_CTE_NODE' ? checkRecursive(inner, name, walk, scope) : check(value, walk, scope)
    if (problem !== undefined) return problem
    scope.add(name)
  }
  return checkChildren(node, walk, scope, ['cte_map'])
}

function checkRecursive(node: Node, name: string, walk: Walk, scope: Scope): string | undefined {
  if (CteMap.parse(node.cte_map).map.length > 0) return 'A WITH inside a recursive query is not allowed here.'
  return check(node.left, walk, scope) ?? check(node.right, walk, new Set([...scope, name])) ?? checkChildren(node, walk, scope, ['cte_map', 'left', 'right'])
}

const CteMap = z.object({ map: z.array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) })) })
const plainName = /^[\p{L}_][\p{L}\p{N}_ ]*$/u
const catalogueName = /^(duckdb_|sqlite_|pragma_|pg_|information_schema)/
const queryTypes: ReadonlySet<string> = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE'])

function checkNode(node: Node, walk: Walk, scope: Scope): string | undefined {
  const type = text(node.type)
  if (typeof node.class === 'string')
    return expressionClasses.has(node.class) ? checkExpression(node, walk) : `This kind of expression is not allowed here: ${node.class}.`
  if (type === 'BASE_TABLE') return checkTable(node, walk, scope)
  if (type === 'TABLE_FUNCTION') return checkTableFunction(node)
  if (type === 'SHOW_REF') return 'SHOW, DESCRIBE and SUMMARIZE are not allowed here. The tables are described in /workspace/semantic/entities.'
  // Types of data (in casts) carry an id instead, or a type that ends so.
  if (node.type === undefined || typeof node.type !== 'string' || harmlessTypes.has(type) || type.endsWith('_TYPE_INFO')) {
    return type === 'UNBOUND_TYPE_INFO' ? `There is no type "${text(node.name)}" here.` : undefined
  }
  return `This is not allowed here: ${type}.`
}

const expressionClasses: ReadonlySet<string> = new Set(
  'CONSTANT COLUMN_REF FUNCTION COMPARISON CONJUNCTION CAST CASE OPERATOR SUBQUERY WINDOW STAR BETWEEN COLLATE POSITIONAL_REFERENCE'.split(' '),
)
const harmlessTypes: ReadonlySet<string> = new Set(
  'EMPTY SUBQUERY JOIN EXPRESSION_LIST ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER ORDER_DEFAULT ASCENDING DESCENDING'.split(' '),
)

function checkTable(node: Node, walk: Walk, scope: Scope): string | undefined {
  const name = text(node.table_name)
  if (text(node.schema_name) !== '' || text(node.catalog_name) !== '') return `Write the table without a schema: ${name}.`
  if (node.at_clause) return 'AT is not allowed here: the warehouse holds no earlier versions.'
  if (scope.has(name.toLowerCase()) || walk.tables.has(name.toLowerCase())) return undefined
  return `There is no table "${name}". The tables are: ${[...walk.tables].join(', ')}.`
}

function checkTableFunction({ function: called }: Node): string | undefined {
  const name = isNode(called) ? text(called.function_name).toLowerCase() : ''
  return allowedTableFunctions.has(name) ? undefined : `The table function "${name}" is not allowed here.`
}

function checkExpression(node: Node, { columnNames, today }: Walk): string | undefined {
  if (node.class === 'FUNCTION' || node.class === 'WINDOW') return checkFunction(node, today)
  if (node.class === 'OPERATOR' && !operatorTypes.has(text(node.type))) return `This operator is not allowed here: ${text(node.type)}.`
  if (node.class !== 'COLUMN_REF') return undefined
  const path = z
    .array(z.string())
    .parse(node.column_names)
    .map((name) => name.toLowerCase())
  for (const name of path) columnNames.add(name)
  const [only] = path
  if (path.length > 1 || only === undefined) return undefined
  if (clockWords.has(only)) return noClock(only, today)
  return sessionWords.has(only) ? `"${only}" is not allowed here.` : undefined
}

const operatorTypes: ReadonlySet<string> = new Set(
  'OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_COALESCE OPERATOR_NULLIF COMPARE_IN COMPARE_NOT_IN GROUPING_FUNCTION ARRAY_EXTRACT ARRAY_SLICE ARRAY_CONSTRUCTOR STRUCT_EXTRACT OPERATOR_TRY'.split(
    ' ',
  ),
)

function checkFunction(node: Node, today: string): string | undefined {
  const name = text(node.function_name).toLowerCase()
  if (clockFunctions.has(name)) return noClock(`${name}()`, today)
  const schema = text(node.schema)
  if ((schema !== '' && schema !== 'main') || text(node.catalog) !== '') return `Write the function without a schema: ${name}.`
  return allowedFunctions.has(name) ? undefined : `The function "${name}" is not allowed here.`
}

const noClock = (what: string, today: string) => `There is no clock here (${what}): the data end at a fixed day. Write dates, as in date '${today}' for today.`

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function firstProblem<Item>(items: Iterable<Item>, find: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = find(item)
    if (problem !== undefined) return problem
  }
  return undefined
}
