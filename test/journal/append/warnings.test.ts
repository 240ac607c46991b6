import { expect, test } from 'vitest'
import { BoundedWarnings } from '../../../src/journal/append/warnings.js'
import { TestLogger } from '../support.js'

function warnings() {
  const logger = new TestLogger()
  const bounded = new BoundedWarnings(logger)
  const warn = (now: number, times = 1) => {
    for (let i = 0; i < times; i++) bounded.warn(now, { n: i }, 'm')
  }
  return { logger, warn }
}

test('twenty warnings pass at once, then one a second that says how many were left out', () => {
  const { logger, warn } = warnings()
  warn(1_000_000, 1000)
  expect(logger.logged).toHaveLength(20)
  warn(1_000_999, 10)
  expect(logger.logged).toHaveLength(20)
  warn(1_001_000, 10)
  expect(logger.logged).toHaveLength(21)
  expect(logger.logged[20]).toStrictEqual({ level: 'warn', fields: { n: 0, suppressed: 990 }, message: 'm' })
  warn(1_002_000, 10)
  expect(logger.logged[21]?.fields).toStrictEqual({ n: 0, suppressed: 9 })
})

test('in quiet times the allowance recovers, to twenty and no more', () => {
  const { logger, warn } = warnings()
  warn(1_000_000, 100)
  warn(1_005_000, 100)
  expect(logger.logged).toHaveLength(25)
  warn(10_000_000, 100)
  expect(logger.logged).toHaveLength(45)
})

test('a clock that goes back silences nothing', () => {
  const { logger, warn } = warnings()
  warn(1_000_000, 100)
  warn(500_000, 1)
  expect(logger.logged).toHaveLength(21)
})

test('a logger that throws is ignored', () => {
  const broken = () => {
    throw new Error('broken')
  }
  const bounded = new BoundedWarnings({ warn: broken, error: broken })
  expect(() => bounded.warn(0, {}, 'm')).not.toThrow()
})
