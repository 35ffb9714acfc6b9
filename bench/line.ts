/** One figure of a benchmark, as it is printed. */
export type Line = { figure: string; value: number; unit: string; n: number }
