/**
 * How many random inputs a property is tried with: `count`, or `RUNS` times as many. A failure tells its seed.
 *
 * @param count enough to find the faults that the property was written for, and little enough for `npm test`.
 */
export function runs(count: number): { numRuns: number } {
  return { numRuns: Math.ceil(count * Number(process.env['RUNS'] ?? 1)) }
}
