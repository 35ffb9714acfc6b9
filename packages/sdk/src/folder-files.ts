/** Reads the files of an agent's folder. What is wrong with one is reported, and the others are read. */
import type { Dirent } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { z } from 'zod'
import { describeLoadError } from './load-error.ts'

/** Says of a file what is wrong with it. */
export type Report = (path: string, problem: string) => void

export const codeFile = /(?<!\.d|\.test)\.(ts|js|mts|mjs)$/

/** The module's default export; undefined, and reported, when there is none to be had. */
export async function loadDefault(path: string, report: Report): Promise<unknown> {
  let module: { default?: unknown }
  try {
    module = await import(/* @vite-ignore */ pathToFileURL(path).href)
  } catch (error) {
    return void report(path, describeLoadError(error, path))
  }
  if (module.default === undefined) report(path, 'has no default export.')
  return module.default
}

export async function findCode(folder: string, name: string): Promise<string | undefined> {
  const found = (await list(folder, codeFile)).find((file) => file.replace(codeFile, '') === name)
  return found && join(folder, found)
}

export const list = async (folder: string, pattern: RegExp): Promise<string[]> => listOf(folder, (entry) => entry.isFile() && pattern.test(entry.name))
export const listFolders = async (folder: string): Promise<string[]> => listOf(folder, (entry) => entry.isDirectory())

/** Sorted, so that tools come in the same order everywhere. A folder that is not there is empty. */
export async function listOf(folder: string, isWanted: (entry: Dirent) => boolean): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.flatMap((entry) => (isWanted(entry) ? entry.name : [])).toSorted()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'
export const describeIssues = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message)).join('; ')

export async function readJson(path: string, report: Report): Promise<unknown> {
  try {
    return JSON.parse((await readText(path)) ?? '')
  } catch (error) {
    return void report(path, `is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}
