/**
 * Arithmetic on numbers of 64 bits. An expression is read into a tree, the tree is checked against what is known to end at once, and only
 * then computed. Numbers of any length are not offered: an arc cosine of one took half a minute, in which nobody else is served.
 */
import { createRequire } from 'node:module'
import { failed } from '../failures.ts'

const functions = new Set(
  'abs ceil floor round fix sign sqrt cbrt exp log log10 log2 sin cos tan asin acos atan min max mean median sum gcd lcm mod'.split(' '),
)
const operators = new Set('add subtract multiply divide mod pow unaryMinus unaryPlus larger smaller largerEq smallerEq equal unequal and or not xor'.split(' '))
const constants = new Set(['pi', 'e', 'true', 'false'])
const nodesMax = 400

/** What is read of mathjs's tree. */
type Node = {
  type: string
  fn?: string | { name?: string }
  name?: string
  args?: Node[]
  value?: unknown
  forEach(visit: (child: Node) => void): void
  evaluate(): unknown
}
type Mathjs = { parse(text: string): Node; format(value: unknown, options: object): string; typeOf(value: unknown): string }

let loaded: Mathjs | undefined
/** From its one file: its modules by themselves are some hundred, whose loading would keep everybody waiting for 600 ms instead of 90. `predictable`: no complex numbers either. */
function load(): Mathjs {
  return (loaded ??= (() => {
    const { create, all } = createRequire(import.meta.url)('mathjs/lib/browser/math.js') as typeof import('mathjs')
    return create(all ?? {}, { number: 'number', predictable: true }) as unknown as Mathjs // Its own types are wider than what is used.
  })())
}

export async function calculate(expression: string): Promise<string> {
  const { parse, format, typeOf } = load()
  const wrong = (why: string) => failed('invalid', `${JSON.stringify(expression.slice(0, 200))}: ${why}`)
  let tree: Node
  try {
    tree = parse(expression)
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
  const why = whyNot(tree)
  if (why) throw wrong(why)
  let value: unknown
  try {
    value = tree.evaluate()
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
  const kind = typeOf(value)
  if (kind !== 'number' && kind !== 'boolean') throw wrong(`the result is no number, but ${kind}`)
  return format(value, { precision: 15, lowerExp: -9, upperExp: 21 })
}

function whyNot(tree: Node): string | undefined {
  let left = nodesMax
  const look = (node: Node): string | undefined => {
    if (--left < 0) return `it has more than ${nodesMax} parts`
    const own = whyNotNode(node)
    if (own) return own
    // The children that count: a function's name is a node as well, and not looked up.
    let found: string | undefined
    const children = node.type === 'FunctionNode' ? (node.args ?? []) : childrenOf(node)
    for (const child of children) found ??= look(child)
    return found
  }
  return look(tree)
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = []
  node.forEach((child) => children.push(child))
  return children
}

function whyNotNode({ type, fn, name }: Node): string | undefined {
  switch (type) {
    case 'ConstantNode':
    case 'ParenthesisNode':
    case 'ConditionalNode':
    case 'RelationalNode':
      return undefined
    case 'SymbolNode':
      return constants.has(name ?? '') ? undefined : `there is nothing named ${name}`
    case 'OperatorNode':
      return typeof fn === 'string' && operators.has(fn) ? undefined : `the operator ${String(fn)} is not offered`
    case 'FunctionNode': {
      const called = typeof fn === 'object' ? fn.name : fn
      return functions.has(called ?? '') ? undefined : `the function ${called} is not offered`
    }
    default:
      return `${type.replace(/Node$/, '').toLowerCase()} is not offered`
  }
}
